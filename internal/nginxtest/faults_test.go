package nginxtest_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/nginxtest"
)

// raw sends bytes as they are and returns the reply; nil when the gateway hangs up without one.
func raw(t *testing.T, address, text string) *reply {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &reply{r.StatusCode, r.Header, string(body)}
}

// checkFault holds a reply against what every fault of the gateway's own has to be.
func checkFault(t *testing.T, name string, r *reply, status int, code string) {
	t.Helper()
	if r == nil {
		t.Errorf("%s: no reply", name)
		return
	}
	var p struct {
		Type, Title, Detail string
		Status              int
		RequestID           string `json:"request_id"`
	}
	if err := json.Unmarshal([]byte(r.Body), &p); err != nil {
		t.Errorf("%s: %d %v %q", name, r.Status, err, r.Body)
		return
	}
	if r.Status != status || p.Status != status || p.Type != "/problems/"+code || p.Title == "" || p.Detail == "" ||
		!regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`).MatchString(p.RequestID) {
		t.Errorf("%s: %d %+v, want %d %s", name, r.Status, p, status, code)
	}
	for header, want := range map[string]string{
		"Content-Type": "application/problem+json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Referrer-Policy": "same-origin",
		"X-Request-Id": p.RequestID, "Server": "nginx",
	} {
		if got := r.Header[header]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: %s is %q, not %q", name, header, got, want)
		}
	}
	if (status == 429 || status == 503) != (r.Header.Get("Retry-After") == "1") {
		t.Errorf("%s: Retry-After is %q", name, r.Header.Get("Retry-After"))
	}
	if (status == 405) != (r.Header.Get("Allow") != "") {
		t.Errorf("%s: Allow is %q", name, r.Header.Get("Allow"))
	}
	if strings.Contains(r.Body, "nginx") {
		t.Errorf("%s: says what it is: %s", name, r.Body)
	}
}

// TestFaults meets nginx with what it refuses by itself, in every shape that somebody may try.
func TestFaults(t *testing.T) {
	t.Parallel()
	g := newRig(t).gateway
	address := strings.TrimPrefix(g, "http://")
	const host = "Host: kadr.example\r\n"
	long := strings.Repeat("x", 40_000)
	for name, c := range map[string]struct {
		request string
		status  int
		code    string
	}{
		"nonsense":               {"nonsense\r\n\r\n", 400, "malformed_request"},
		"no host":                {"GET /api/v1/feed HTTP/1.1\r\n\r\n", 400, "malformed_request"},
		"bad host":               {"GET /api/v1/feed HTTP/1.1\r\nHost: a/../b\r\n\r\n", 400, "malformed_request"},
		"two hosts":              {"GET /api/v1/feed HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "malformed_request"},
		"length and chunks":      {"POST /api/v1/images HTTP/1.1\r\n" + host + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n", 400, "malformed_request"},
		"two lengths":            {"POST /api/v1/images HTTP/1.1\r\n" + host + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400, "malformed_request"},
		"bad length":             {"POST /api/v1/images HTTP/1.1\r\n" + host + "Content-Length: -4\r\n\r\nabcde", 400, "malformed_request"},
		"unknown coding":         {"POST /api/v1/images HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\nabcde", 501, "not_implemented"},
		"obfuscated coding":      {"POST /api/v1/images HTTP/1.1\r\n" + host + "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", 501, "not_implemented"},
		"above the root":         {"GET /../../etc/passwd HTTP/1.1\r\n" + host + "\r\n", 400, "malformed_request"},
		"bad escape":             {"GET /%zz HTTP/1.1\r\n" + host + "\r\n", 400, "malformed_request"},
		"NUL":                    {"GET /%00 HTTP/1.1\r\n" + host + "\r\n", 400, "malformed_request"},
		"trace":                  {"TRACE /i/x HTTP/1.1\r\n" + host + "\r\n", 405, "method_not_allowed"},
		"metrics":                {"GET /metrics HTTP/1.1\r\n" + host + "\r\n", 404, "not_found"},
		"inside":                 {"GET /_fault/page HTTP/1.1\r\n" + host + "\r\n", 404, "not_found"},
		"far too large":          {"POST /api/v1/images HTTP/1.1\r\n" + host + "Content-Length: 113246209\r\n\r\n", 413, "too_large"},
		"too large for all else": {"POST /api/v1/sessions HTTP/1.1\r\n" + host + "Content-Length: 8388609\r\n\r\n", 413, "too_large"},
		"a long address":         {"GET /" + long + " HTTP/1.1\r\n" + host + "\r\n", 414, "uri_too_long"},
		"a long header":          {"GET / HTTP/1.1\r\n" + host + "X: " + long + "\r\n\r\n", 431, "header_too_large"},
		"many headers":           {"GET / HTTP/1.1\r\n" + host + strings.Repeat("X: "+long[:7000]+"\r\n", 10) + "\r\n", 431, "header_too_large"},
		"a version to come":      {"GET / HTTP/3.7\r\n" + host + "\r\n", 505, "http_version_not_supported"},
	} {
		r := raw(t, address, c.request)
		checkFault(t, name, r, c.status, c.code)
	}
}

// What is odd, and goes to the server as it should.
func TestOddRequests(t *testing.T) {
	t.Parallel()
	g := newRig(t).gateway
	address := strings.TrimPrefix(g, "http://")
	for name, c := range map[string]struct {
		request, seen string
	}{
		"absolute":            {"GET http://other.example/i/unknown HTTP/1.1\r\nHost: kadr.example\r\nConnection: close\r\n\r\n", "GET /i/unknown"},
		"absolute, to inside": {"GET http://other.example/_storage/blobs/aa/bb/original HTTP/1.1\r\nHost: kadr.example\r\nConnection: close\r\n\r\n", "GET /_storage/blobs/aa/bb/original"},
		"old, without host":   {"GET /x HTTP/1.0\r\n\r\n", "GET /x"},
		"underscores":         {"GET /x HTTP/1.1\r\nHost: kadr.example\r\nContent_Length: 5\r\nX_Kadr_Direct: 1\r\nConnection: close\r\n\r\n", "GET /x"},
		"hop by hop":          {"GET /x HTTP/1.1\r\nHost: kadr.example\r\nConnection: close, X-Forwarded-For, X-Request-Id\r\n\r\n", "GET /x"},
	} {
		r := raw(t, address, c.request)
		if r == nil || r.Status != 404 || r.Header.Get("Seen-Request") != c.seen || r.Header.Get("Seen-Direct") == "1" != (name == "absolute, to inside") ||
			r.Header.Get("Seen-Forwarded") != "127.0.0.1" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// Whoever says nothing, or only half of it, is cut off. The timeouts are shortened, as they are the same otherwise.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	t.Cleanup(server.Close)
	g := nginxtest.Run(t, nginxtest.Config{
		Upstream: server.Listener.Addr().String(), Storage: t.TempDir(), Workers: 1,
		Edit: []string{"client_header_timeout 15s", "client_header_timeout 1s", "client_body_timeout 75s", "client_body_timeout 1s", "client_body_timeout 30s", "client_body_timeout 1s"},
	})
	for _, text := range []string{
		"GET /api/v1/feed HTTP/1.1\r\nHost: kadr.example\r\nX-Slow: ",
		"POST /api/v1/images HTTP/1.1\r\nHost: kadr.example\r\nContent-Length: 100\r\n\r\nhalf of it",
		"POST /api/v1/sessions HTTP/1.1\r\nHost: kadr.example\r\nContent-Length: 100\r\n\r\nhalf of it",
	} {
		begun := time.Now()
		if r := raw(t, g.Address, text); r != nil && r.Status != http.StatusRequestTimeout {
			t.Errorf("%.30q was answered with %+v", text, r)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("%.30q was borne for %s", text, took)
		}
	}
}

// TestServerFaults are those of a server that is away, breaks off, or says nothing.
func TestServerFaults(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.URL.Path
		if strings.HasSuffix(r.URL.Path, "slow") {
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(server.Close)
	output := &strings.Builder{}
	g := nginxtest.Run(t, nginxtest.Config{
		Upstream: server.Listener.Addr().String(), Storage: t.TempDir(), Workers: 1, AccessLog: true, Log: output,
		Edit: []string{"proxy_read_timeout 30s", "proxy_read_timeout 1s"},
	})
	const secret = "never-in-a-log"
	ask := func(method, target string, header map[string]string) reply {
		t.Helper()
		return ask(t, g.URL, method, target+"?sig="+secret, header)
	}
	headers := map[string]string{"Authorization": "Bearer kadr_" + strings.Repeat("s", 26), "Referer": "http://user:" + secret + "@kadr.example/p/x?sig=" + secret + "#" + secret, "Cookie": "kadr_session=" + secret}
	r := ask("GET", "/api/v1/feed", headers)
	checkFault(t, "broken off", &r, 503, "unavailable")
	r = ask("GET", "/i/aaaaaaaaaaaaa.jpg", headers)
	checkFault(t, "broken off, picture", &r, 503, "unavailable")
	if r.Header.Get("Access-Control-Allow-Origin") != "*" || r.Header.Get("Cross-Origin-Resource-Policy") != "cross-origin" {
		t.Errorf("another site cannot see why: %v", r.Header)
	}
	r = ask("GET", "/api/slow", headers)
	checkFault(t, "no answer", &r, 504, "gateway_timeout")
	for len(asked) > 0 {
		<-asked
	}
	// What may have been done is never asked for again.
	for _, method := range []string{"POST", "PATCH"} {
		r = ask(method, "/api/v1/accounts", headers)
		if r.Status != 503 || len(asked) != 1 {
			t.Errorf("%s: %d, and the server was asked %d times", method, r.Status, len(asked))
		}
		<-asked
	}
	page := ask("GET", "/docs", map[string]string{"Accept": "text/html,*/*;q=0.8"})
	if page.Status != 503 || page.Header.Get("Content-Type") != "text/html; charset=utf-8" || page.Header.Get("Retry-After") != "1" ||
		!strings.Contains(page.Body, "Not available just now") || strings.Contains(page.Body, "nginx") || !strings.Contains(page.Body, page.Header.Get("X-Request-Id")) {
		t.Errorf("a browser gets %+v", page)
	}

	lines := accessLog(t, g, 6)
	for _, text := range []string{strings.Join(lines, "\n"), output.String()} {
		if strings.Contains(text, secret) || strings.Contains(text, "kadr_sss") {
			t.Errorf("a secret is in the log:\n%s", text)
		}
	}
	_ = ask("GET", "/api/v1/feed", map[string]string{"User-Agent": "a \"quoted\"\\ \t\x01 agent", "Referer": "javascript:" + secret})
	lines = accessLog(t, g, 7)
	var odd struct {
		Agent    string `json:"user_agent"`
		Referrer string
	}
	if err := json.Unmarshal([]byte(lines[6]), &odd); err != nil || odd.Agent != "a \"quoted\"\\ \t\x01 agent" || odd.Referrer != "" {
		t.Errorf("%+v %v: %s", odd, err, lines[6])
	}
	var first map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"method": "GET", "path": "/api/v1/feed", "status": 503.0, "upstream_status": "502", "sent_by": "gateway", "address": "127.0.0.1",
		"referrer": "http://kadr.example/p/x", "protocol": "HTTP/1.1",
	} {
		if first[name] != want {
			t.Errorf("the log's %s is %v, not %v", name, first[name], want)
		}
	}
}

// accessLog waits for n lines of it.
func accessLog(t *testing.T, g *nginxtest.Gateway, n int) []string {
	t.Helper()
	for range 200 {
		text, err := os.ReadFile(g.AccessLog())
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Split(strings.TrimSpace(string(text)), "\n"); len(lines) >= n {
			return lines
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the access log does not get %d lines", n)
	return nil
}

// Files of an ACME client are served, and nothing beside them.
func TestACME(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	g := nginxtest.Run(t, nginxtest.Config{Upstream: server.Listener.Addr().String(), Storage: t.TempDir(), Workers: 1})
	folder := filepath.Join(g.ACMEFolder(), ".well-known", "acme-challenge")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, where := range map[string]string{"token": folder, "secret": g.ACMEFolder()} {
		if err := os.WriteFile(filepath.Join(where, name), []byte(name+".thumbprint"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r := ask(t, g.URL, "GET", "/.well-known/acme-challenge/token", nil)
	if r.Status != 200 || r.Body != "token.thumbprint" || r.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("%+v", r)
	}
	for _, path := range []string{"/.well-known/acme-challenge/none", "/.well-known/acme-challenge/", "/.well-known/acme-challenge/%2e%2e%2f%2e%2e%2fsecret", "/.well-known/acme-challenge/../../secret"} {
		if r := ask(t, g.URL, "GET", path, nil); r.Status == 200 || strings.Contains(r.Body, "secret.") {
			t.Errorf("%s: %s", path, fmt.Sprint(r))
		}
	}
}
