// Package nginx holds the gateway's configuration, for the tests and benchmarks that run it (internal/nginxtest). The
// server does not use it.
//
// nginx.conf is the whole as a container uses it. It says where things are (the server, the storage, the port) and
// includes the rest: http.conf for the http block, site.conf and pictures.conf for the server block, and proxy.conf
// wherever a request goes on to the server.
package nginx

import "embed"

// Files are the configuration files, each under its own name.
//
//go:embed *.conf
var Files embed.FS
