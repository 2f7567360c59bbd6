package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kadr-app/kadr/internal/config"
)

func TestLocalAddress(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		":8080": "localhost:8080", "0.0.0.0:80": "localhost:80", "[::]:8080": "localhost:8080", "127.0.0.1:1": "127.0.0.1:1",
		"[::1]:8080": "[::1]:8080", "10.1.2.3:8080": "10.1.2.3:8080", "app:http": "app:http",
		"127.0.0.1:0": "", "8080": "", "": "", "localhost:": "",
	} {
		if got, err := localAddress(listen); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", listen, got, err)
		}
	}
}

func TestHealthcheckSaysWhatTheServerSays(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   string
		want   string // of the error, "" for none
	}{
		"ready":      {200, `{"status":"ok"}`, ""},
		"not ready":  {503, `{"status":"failing","storage":"failing","database":"failing","decoders":"ok","formats":{}}`, "not ready: the server says 503 Service Unavailable: database, storage"},
		"not Kadr":   {404, "<html>", "not ready: the server says 404 Not Found"},
		"elsewhere":  {302, "", "not ready: the server says 302 Found"},
		"half a map": {503, `{"status":`, "not ready: the server says 503 Service Unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/readyz" {
					t.Errorf("asked for %s", r.URL)
				}
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
			}))
			defer server.Close()
			err := healthcheck(t.Context(), config.Config{Listen: server.Listener.Addr().String()}, nil, nil)
			if got := fmt.Sprint(err); test.want == "" && err != nil || test.want != "" && got != test.want {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestHealthcheckOfNobody(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	err = healthcheck(t.Context(), config.Config{Listen: address}, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v", err)
	}
	var stderr bytes.Buffer
	if code := run(t.Context(), []string{"healthcheck", "please"}, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "Usage:") {
		t.Errorf("code %d: %s", code, &stderr)
	}
}
