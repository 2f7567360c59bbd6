package gatewaytest_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/kadr-app/kadr/static"
)

// TestPagesAreTheSame asks the server and the gateway for every page and file, and for what is not there: status, bytes and
// headers are the same, whoever sends them. A new kind of file that nginx does not know by its type fails here.
func TestPagesAreTheSame(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, "KADR_UNLIMITED=127.0.0.0/8")
	direct, gateway := person{http: clientTo(t, r.servers[0].address)}, person{http: r.http}
	paths := []string{
		"/", "/pictures", "/settings", "/sign-in?next=%2Fpictures", "/register", "/p/abc", "/p/aaaaaaaaaaaaa", "/p/abc/", "/p/", "/p", "/u/anna",
		"/u/", "/u/anna/x", "/oembed", "/oembed?url=x&format=xml", "/api/v1/instance", "/locales/none.json", "/locales/a/b.json", "/integrations/none",
		"/integrations/", "/problems", "/problems/image_gone", "/problems/required", "/problems/none", "/problems/", "/docs", "/docs/docs.js", "/docs/swagger-ui.css", "/openapi.yaml", "/healthz", "/none", "/css/", "/css",
		"/css/none.css", "/js/../index.html", "/css/base.css?x=1", "/css/base.css.gz", "/static.go", "/js/package.json",
		"/js/api.test.mjs", "/js/none.js", "/.hidden", "/favicon.ico", "/_fault/problem", "/api/none", "/api/v1/none.js",
	}
	given := len(paths)
	err := fs.WalkDir(static.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, "/"+name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	fromDisk := 0
	for _, path := range paths {
		for _, method := range []string{"GET", "HEAD", "POST", "DELETE", "OPTIONS"} {
			want, got := both(t, direct, gateway, method, path)
			if want.StatusCode != got.StatusCode || !sameBytes(want, got) {
				t.Errorf("%s %s: %d with %d bytes, not %d with %d: %.200s", method, path, got.StatusCode, len(got.body), want.StatusCode, len(want.body), got.body)
			}
			disk := got.Header.Get("ETag") != want.Header.Get("ETag")
			if disk && method == "GET" {
				fromDisk++
			}
			for _, name := range differences(want.Header, got.Header, disk) {
				t.Errorf("%s %s: %s is %q, not %q", method, path, name, got.Header[name], want.Header[name])
			}
		}
		if strings.HasPrefix(path, "/_fault/") {
			continue // what is inside of nginx, nginx refuses in its own words
		}
		// A browser gets pages where others get documents.
		want, got := both(t, direct, gateway, "GET", path, "Accept: text/html,*/*;q=0.8")
		if want.StatusCode != got.StatusCode || !sameBytes(want, got) || want.Header.Get("Content-Type") != got.Header.Get("Content-Type") {
			t.Errorf("a browser at %s: %d %v, not %d %v", path, got.StatusCode, got.Header, want.StatusCode, want.Header)
		}
	}
	if n := len(paths) - given; fromDisk < n-1 { // but index.html
		t.Errorf("nginx sent %d of %d files by itself", fromDisk, n)
	}
}

func both(t *testing.T, direct, gateway person, method, path string, headers ...string) (want, got *reply) {
	t.Helper()
	var err error
	if want, err = direct.ask(method, path, nil, headers...); err == nil {
		got, err = gateway.ask(method, path, nil, headers...)
	}
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return want, got
}

// sameBytes leaves out the id of a request, which each has for itself.
func sameBytes(a, b *reply) bool {
	without := func(r *reply) string {
		return strings.ReplaceAll(string(r.body), r.Header.Get("X-Request-Id"), "id")
	}
	return without(a) == without(b)
}

// differences returns the headers that differ and may not. A file from disk has an ETag of its own.
func differences(want, got http.Header, disk bool) (names []string) {
	free := []string{"Date", "Server", "Connection", "X-Request-Id", "Content-Length"} // the bytes are compared
	if disk {
		free = append(free, "Etag")
	}
	for _, h := range []http.Header{want, got} {
		for name := range h {
			if !slices.Contains(free, name) && !slices.Contains(names, name) && !slices.Equal(want[name], got[name]) {
				names = append(names, name)
			}
		}
	}
	return names
}

// TestCompressionAndRevalidation is what nginx does better than the server with a file.
func TestCompressionAndRevalidation(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	c := person{http: r.http}
	plain := c.must(t, 200, "GET", "/js/app.js", nil)
	packed := c.must(t, 200, "GET", "/js/app.js", nil, "Accept-Encoding: gzip")
	if packed.Header.Get("Content-Encoding") != "gzip" || len(packed.body) >= len(plain.body) {
		t.Errorf("%d bytes, %v", len(packed.body), packed.Header)
	}
	unzip, err := gzip.NewReader(bytes.NewReader(packed.body))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(unzip); err != nil || !bytes.Equal(text, plain.body) {
		t.Errorf("the compressed file is another: %v", err)
	}
	for _, res := range []*reply{plain, packed} {
		tag := res.Header.Get("ETag")
		if res.Header.Get("Vary") != "Accept-Encoding" || res.Header.Get("Cache-Control") != "no-cache" || res.Header.Get("Last-Modified") != "" || tag == "" || strings.HasPrefix(tag, "W/") {
			t.Errorf("headers: %v", res.Header)
		}
	}
	if plain.Header.Get("ETag") == packed.Header.Get("ETag") {
		t.Error("two answers have one ETag")
	}
	again := c.must(t, 304, "GET", "/js/app.js", nil, "If-None-Match: "+packed.Header.Get("ETag"), "Accept-Encoding: gzip")
	if again.Header.Get("Cache-Control") != "no-cache" || again.Header.Get("ETag") != packed.Header.Get("ETag") {
		t.Errorf("unchanged: %v", again.Header)
	}
	c.must(t, 200, "GET", "/js/app.js", nil, "If-None-Match: "+plain.Header.Get("ETag"), "Accept-Encoding: gzip")
	c.must(t, 200, "GET", "/js/app.js", nil, "If-Modified-Since: Fri, 01 Jan 2038 00:00:00 GMT")
}
