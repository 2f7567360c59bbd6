package httpapi_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	kadr "github.com/kadr-app/kadr/api"
)

func TestService(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	c := in.stranger(t)

	if body := string(c.get("/healthz").want(200).body); body != `{"status":"ok"}`+"\n" {
		t.Errorf("healthz: %s", body)
	}
	const everything = `{"status":"ok","database":"ok","storage":"ok","decoders":"ok","formats":{` +
		`"input":["image/jpeg","image/png","image/gif","image/webp","image/avif","image/heic","image/tiff"],` +
		`"output":["image/jpeg","image/png","image/gif","image/webp","image/avif"]}}` + "\n"
	if body := string(c.get("/readyz").want(200).body); body != everything {
		t.Errorf("readyz: %s", body)
	}
	for path, mediaType := range map[string]string{"/openapi.yaml": "application/yaml", "/openapi.json": "application/json"} {
		r := c.get(path).want(200)
		if r.Header.Get("Content-Type") != mediaType {
			t.Errorf("%s: Content-Type %q", path, r.Header.Get("Content-Type"))
		}
		c.get(path, "If-None-Match: "+r.Header.Get("ETag")).want(304)
		if path == "/openapi.yaml" {
			if !bytes.Equal(r.body, kadr.OpenAPI) {
				t.Error("the contract is not the one that was written")
			}
			continue
		}
		var doc struct{ Openapi string }
		if err := json.Unmarshal(r.body, &doc); err != nil || doc.Openapi != "3.0.3" {
			t.Errorf("openapi.json: %v %+v", err, doc)
		}
	}
	for path, mediaType := range map[string]string{
		"/": "text/html; charset=utf-8", "/sign-in": "text/html; charset=utf-8", "/robots.txt": "text/plain; charset=utf-8", "/index.html": "text/html; charset=utf-8",
		"/js/app.js": "text/javascript; charset=utf-8", "/css/base.css": "text/css; charset=utf-8", "/favicon.svg": "image/svg+xml",
		"/docs": "text/html", "/docs/docs.js": "text/javascript; charset=utf-8", "/docs/swagger-ui.css": "text/css; charset=utf-8",
		"/docs/swagger-ui-bundle.js": "text/javascript; charset=utf-8",
	} {
		r := c.get(path).want(200)
		if r.Header.Get("Content-Type") != mediaType || len(r.body) == 0 {
			t.Errorf("%s: %q, %d bytes", path, r.Header.Get("Content-Type"), len(r.body))
		}
		if tag := r.Header.Get("ETag"); tag != "" {
			c.get(path, "If-None-Match: "+tag).want(304)
		}
	}
	if r := c.get("/docs/swagger-ui.css", "Accept-Encoding: gzip").want(200); r.Header.Get("Content-Encoding") != "gzip" || r.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("headers %v", r.Header)
	}
	if r := c.get("/docs/swagger-ui.css", "Accept-Encoding: gzip;q=0").want(200); r.Header.Get("Content-Encoding") != "" {
		t.Error("compressed for who refuses it")
	}
}

func TestInstance(t *testing.T) {
	t.Parallel()
	in := newInstance(t, "REGISTRATION=closed")
	stranger := in.stranger(t)
	const open = `{"registration":"open","max_upload_bytes":262144,"max_pixels":1000000,"formats":{` +
		`"input":["image/jpeg","image/png","image/gif","image/webp","image/avif","image/heic","image/tiff"],` +
		`"output":["image/jpeg","image/png","image/gif","image/webp","image/avif"]},"version":"dev"}` + "\n"
	empty := stranger.get("/api/v1/instance").want(200)
	if string(empty.body) != open || empty.Header.Get("Cache-Control") != "public, max-age=60" {
		t.Errorf("of an empty instance: %v %s", empty.Header, empty.body)
	}
	again := stranger.get("/api/v1/instance", "If-None-Match: "+empty.Header.Get("ETag")).want(304)
	if again.Header.Get("Cache-Control") != "public, max-age=60" || again.Header.Get("ETag") != empty.Header.Get("ETag") {
		t.Errorf("unchanged: %v", again.Header)
	}
	in.registered(t)
	for range 2 {
		closed := stranger.get("/api/v1/instance", "If-None-Match: "+empty.Header.Get("ETag")).want(200)
		if want := strings.Replace(open, "open", "closed", 1); string(closed.body) != want {
			t.Errorf("of one that has somebody: %s", closed.body)
		}
	}
	stranger.get("/api/v1/instance?x=1").fault("?x", "unknown_parameter")
}

// When a part fails, readiness says which, and what does not need it goes on.
func TestNotReady(t *testing.T) {
	t.Parallel()
	in := newInstance(t, "SESSION_LIFETIME=1h")
	in.quiet.Store(true)
	c := in.person(t)
	if err := os.Rename(filepath.Join(in.dir, "tmp"), filepath.Join(in.dir, "away")); err != nil {
		t.Fatal(err)
	}
	if body := string(c.get("/readyz").want(503).body); !strings.Contains(body, `"database":"ok","storage":"failing"`) {
		t.Errorf("readyz: %s", body)
	}
	p := c.upload(pngOf("no storage", 9, 9), "").problem(500, "internal")
	if strings.Contains(p.Detail, in.dir) || strings.Contains(p.Detail, "no such file") {
		t.Errorf("detail %q", p.Detail)
	}
	if err := os.Rename(filepath.Join(in.dir, "away"), filepath.Join(in.dir, "tmp")); err != nil {
		t.Fatal(err)
	}
	img := c.upload(pngOf("storage again", 9, 9), "").want(201).image()

	// Bytes that were lost are our fault, and nobody's who asks.
	if err := os.RemoveAll(filepath.Join(in.dir, "blobs", sha256Hex(pngOf("storage again", 9, 9))[:2])); err != nil {
		t.Fatal(err)
	}
	if p := c.get(img.URL).problem(500, "internal"); strings.Contains(p.Detail, "blob") {
		t.Errorf("detail %q", p.Detail)
	}

	if _, err := in.db.Pool.Exec(t.Context(), `ALTER TABLE sessions RENAME TO sessions_away`); err != nil {
		t.Fatal(err)
	}
	for path, status := range map[string]int{"/healthz": 200, "/": 200, "/docs": 200, "/openapi.yaml": 200, "/api/v1/feed": 200, "/api/v1/account": 500} {
		c.get(path).want(status)
	}
	if _, err := in.db.Pool.Exec(t.Context(), `ALTER TABLE sessions_away RENAME TO sessions`); err != nil {
		t.Fatal(err)
	}
	c.get("/api/v1/account").want(200)
}
