package contracttest

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// Transport checks every exchange that passes through it, and hands what is wrong to Report. Replies come when they are
// whole.
type Transport struct {
	Base    http.RoundTripper
	Checker *Checker
	Report  func(error)
}

// For returns a transport over another one that fails the test.
func For(t testing.TB, base http.RoundTripper) Transport {
	t.Helper()
	checker, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return Transport{Base: base, Checker: checker, Report: func(err error) { t.Error(err) }}
}

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	sent := func() []byte { return nil }
	out := req
	switch {
	case req.Body == nil || req.Body == http.NoBody || !isJSON(mediaType(req.Header)):
	case req.GetBody != nil:
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(body)
		if err != nil {
			return nil, err
		}
		sent = func() []byte { return text }
	default:
		tee := &tee{from: req.Body}
		out, sent = req.Clone(req.Context()), tee.sent
		out.Body = tee
	}
	reply, err := t.Base.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	reply.Request = req
	if err := t.Checker.Check(req, sent(), reply); err != nil {
		t.Report(err)
	}
	return reply, nil
}

// tee remembers what is read of a body. The transport may go on reading it when the reply has come.
type tee struct {
	from io.ReadCloser
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *tee) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Write(p[:n])
	return n, err
}

func (b *tee) Close() error { return b.from.Close() }

func (b *tee) sent() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.text.Bytes())
}

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
	silent := log.New(io.Discard, "", 0) // clients that go away are part of the tests
	server := &http.Server{              //nolint:gosec // it is the instance's to limit its clients
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
		server.Close()
		base.CloseIdleConnections()
		<-ended
	})
}
