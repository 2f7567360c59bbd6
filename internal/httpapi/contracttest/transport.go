package contracttest

import (
	"bytes"
	"io"
	"net/http"
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
