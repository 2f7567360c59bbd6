// Package nginx holds the gateway's configuration, for the tests and benchmarks that run it (internal/nginxtest). The
// server does not use it.
//
// nginx.conf is the whole as a container uses it. It says where things are and includes the rest: http.conf, and what that
// includes, for the http block; site.conf, and what that includes, for the server block; and proxy.conf wherever a request
// goes on to the server. Debian's nginx 1.22 takes all of them but nginx.conf itself, which names its servers as only newer
// ones can.
//
// start is the container's entrypoint. It writes what the settings say, and runs nginx:
//
//   - KADR_MAX_UPLOAD_BYTES (52428800), the server's own: twice as much and 8 MiB is where nginx refuses by itself. What is
//     less, and too large for the server, that refuses, and says what is allowed.
//   - KADR_UPSTREAM (app:8080): the server's name and port. The name is looked up every other second, as it is written (where
//     there are search domains, as in Kubernetes, write the whole name), and may have several addresses.
//   - KADR_TLS_CERTIFICATE and KADR_TLS_KEY: the whole paths of a chain and its key, in PEM. Once both files are there, HTTPS is
//     on port 8443 and port 8080 leads there; a new certificate is taken into use within half a minute.
//   - KADR_PUBLIC_URL, the server's own: where port 8080 leads to, if it begins with https. KADR_HTTPS_PORT (443): the port that
//     people know for 8443.
//   - KADR_OUTER_PROXIES: networks of proxies before this one, whose X-Forwarded-For and X-Forwarded-Proto are believed (comma
//     separated). Nobody else's are, and none are passed on.
//   - KADR_UNLIMITED: networks that the rate limits are not for (comma separated).
//
// It needs the pages in /srv/kadr/static as compress lays them out, the blob store in /data/storage, and a /tmp that it may
// write to: nothing else is written. The tests put KADR_GATEWAY_RUN, _STORAGE, _STATIC and _ACME elsewhere.
package nginx

import "embed"

// Files are the configuration files and the scripts, each under its own name.
//
//go:embed *.conf compress start
var Files embed.FS
