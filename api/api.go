// Package api carries the contract, as it was written, in the binary.
package api

import _ "embed" // for the contract

// OpenAPI is openapi.yaml to the byte: what the server validates by, and what it serves.
//
//go:embed openapi.yaml
var OpenAPI []byte
