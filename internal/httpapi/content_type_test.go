package httpapi

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"github.com/labstack/echo/v4"
)

// TestKindsOfFiles is about what the frontend may consist of; nginx is held to the same in internal/nginxtest.
func TestKindsOfFiles(t *testing.T) {
	t.Parallel()
	kinds := map[string]string{
		"manifest.webmanifest": "application/manifest+json", "sw.js": "text/javascript; charset=utf-8", "robots.txt": "text/plain; charset=utf-8",
		"locales/en.json": "application/json", "icons/icon.png": "image/png", "icons/icons.svg": "image/svg+xml", "favicon.ico": "image/x-icon",
		"integrations/sharex.sxcu": "text/plain; charset=utf-8", "integrations/spectacle.sh": "text/plain; charset=utf-8",
		"integrations/picgo.json": "text/plain; charset=utf-8", "css/base.css": "text/css; charset=utf-8", "other.bin": "application/octet-stream",
	}
	files := fstest.MapFS{"index.html": {Data: []byte("<head><!--head--><!--/head--></head>")}, "static.go": {Data: []byte("package static")}}
	for name := range kinds {
		files[name] = &fstest.MapFile{Data: []byte(name)}
	}
	p, err := newPages(files, "http://pictures.test")
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	(&Server{pages: p}).registerPages(e)
	for name, want := range kinds {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/"+name, nil))
		if got := w.Header().Get("Content-Type"); w.Code != 200 || got != want || w.Body.String() != name || w.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %q", name, w.Code, got)
		}
	}
	if p.files["static.go"] != nil {
		t.Error("the program is served")
	}
}

func TestIndexNeedsItsMarks(t *testing.T) {
	t.Parallel()
	for _, index := range []string{"<head></head>", "<head><!--head--></head>", "<head><!--/head--><!--head--></head>", "<!--head--><!--/head-->"} {
		if _, err := newPages(fstest.MapFS{"index.html": {Data: []byte(index)}}, "http://pictures.test"); err == nil {
			t.Errorf("%s is taken", index)
		}
	}
	if _, err := newPages(fstest.MapFS{}, "http://pictures.test"); err == nil {
		t.Error("there are pages without one")
	}
}
