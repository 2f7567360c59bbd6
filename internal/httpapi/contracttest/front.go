package contracttest

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"testing"
)

// Front checks what passes between an instance and clients of any kind, such as browsers and programs: it stands before the
// instance at an address, which is to be the instance's KADR_PUBLIC_URL. The instance has to trust it as a proxy, and
// gets X-Forwarded-For as it comes.
func Front(t testing.TB, address, instance string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	base := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", instance)
		},
		MaxIdleConnsPerHost: 64, DisableCompression: true,
	}
	silent := slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug) // clients that go away are part of the tests
	server := &http.Server{                                           //nolint:gosec // it is the instance's to limit its clients
		ErrorLog: silent,
		Handler: &httputil.ReverseProxy{
			Transport: For(t, base), ErrorLog: silent,
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(&url.URL{Scheme: "http", Host: address})
				r.Out.Host = r.In.Host
				r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			},
			// An instance that is not there has no reply.
			ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		},
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		base.CloseIdleConnections()
		<-ended
	})
}
