// Package gatewaytest runs the whole as compose wires it: real nginx with the repository's configuration, two servers as
// processes of the real program, one storage, and a real PostgreSQL. It holds tests alone. What nginx does by itself is
// tested faster in internal/nginxtest.
package gatewaytest
