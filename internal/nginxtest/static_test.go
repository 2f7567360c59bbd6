package nginxtest_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/kadr-app/kadr/internal/nginxtest"
)

// TestKindsOfFiles is about what the frontend may consist of; the server is held to the same in internal/httpapi.
func TestKindsOfFiles(t *testing.T) {
	t.Parallel()
	static := t.TempDir()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	t.Cleanup(server.Close)
	kinds := map[string]string{
		"manifest.webmanifest": "application/manifest+json", "sw.js": "text/javascript; charset=utf-8", "robots.txt": "text/plain; charset=utf-8",
		"locales/en.json": "application/json", "icons/icon.png": "image/png", "icons/icons.svg": "image/svg+xml", "favicon.ico": "image/x-icon",
		"integrations/sharex.sxcu": "text/plain; charset=utf-8", "integrations/spectacle.sh": "text/plain; charset=utf-8",
		"integrations/picgo.json": "text/plain; charset=utf-8", "css/base.css": "text/css; charset=utf-8",
	}
	for name := range kinds {
		file := filepath.Join(static, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	g := nginxtest.Run(t, nginxtest.Config{Upstream: server.Listener.Addr().String(), Storage: t.TempDir(), Static: static, Workers: 1})
	for name, want := range kinds {
		r := ask(t, g.URL, http.MethodGet, "/"+name, nil)
		if got := r.Header.Get("Content-Type"); r.Status != 200 || got != want || r.Body != name || r.Header.Get("Cache-Control") != "no-cache" ||
			r.Header.Get("X-Content-Type-Options") != "nosniff" || r.Header.Get("Retry-After") != "" {
			t.Errorf("%s: %d %q %v", name, r.Status, got, r.Header)
		}
		if again := ask(t, g.URL, http.MethodGet, "/"+name, map[string]string{"If-None-Match": r.Header.Get("ETag")}); again.Status != http.StatusNotModified {
			t.Errorf("%s again: %d", name, again.Status)
		}
	}
	// The server's own, however they are called.
	for _, path := range []string{"/openapi.json", "/locales/de.json", "/locales/", "/integrations/none.sh", "/integrations/", "/api/v1/none.json", "/none.txt"} {
		if r := ask(t, g.URL, http.MethodGet, path, nil); r.Status != http.StatusTeapot {
			t.Errorf("%s: %d", path, r.Status)
		}
	}
}
