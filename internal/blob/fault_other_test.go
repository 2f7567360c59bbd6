//go:build unix && !linux

package blob_test

import "testing"

// setUpFault has nothing to prepare: only Linux gives a process a file system of its own.
func setUpFault(*testing.T, string, string) {}
