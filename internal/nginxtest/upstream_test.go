package nginxtest_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/nginxtest"
)

// modified is a picture's Last-Modified. No file of the tests is so old.
var modified = time.Date(2021, 3, 4, 5, 6, 7, 0, time.UTC)

const (
	etag  = `"0f1e2d"`
	size  = 70_001 // bytes of the picture
	token = "kadr-secret"
)

// upstream is a stand-in for the server that follows its agreement with nginx. With accel it leaves the sending to nginx
// where that is allowed.
type upstream struct {
	storage string
	accel   bool
}

func (u upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Request-Id", "q7")
	// What reached the server, for the tests to see.
	h.Set("Seen-Direct", r.Header.Get("X-Kadr-Direct"))
	h.Set("Seen-Request", r.Method+" "+r.RequestURI)
	h.Set("Seen-Forwarded", r.Header.Get("X-Forwarded-For"))
	file, ok := strings.CutPrefix(r.URL.Path, "/i/")
	if ok {
		u.picture(w, r, file)
		return
	}
	switch r.URL.Path {
	case "/leak": // what no handler does
		h.Set("X-Accel-Redirect", "/_storage/blobs/aa/bb/original")
	default:
		refuse(w, http.StatusNotFound)
	}
}

// refuse replies with a problem document: none of a picture's headers is left.
func refuse(w http.ResponseWriter, status int) {
	h := w.Header()
	for _, name := range []string{
		"Accept-Ranges", "Access-Control-Allow-Origin", "Content-Disposition", "Cross-Origin-Resource-Policy", "ETag", "Last-Modified", "Link", "Vary",
	} {
		h.Del(name)
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"status":%d}`, status)
}

func (u upstream) picture(w http.ResponseWriter, r *http.Request, name string) {
	file, ok := map[string]string{
		"original": "/blobs/aa/bb/original", "variant": "/variants/aa/bb/cc/w320.webp", "plain": "/blobs/aa/bb/original",
		"long":    "/blobs/aa/bb/original",
		"missing": "/blobs/aa/bb/missing", "evicted": "/variants/aa/bb/evicted",
		// What no server says.
		"tmp": "/tmp/staged", "quarantine": "/quarantine/bad", "up": "/blobs/../tmp/staged", "encoded": "/blobs/%2e%2e/tmp/staged",
	}[name]
	if !ok {
		refuse(w, http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "image/webp")
	h.Set("ETag", etag)
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	if name == "plain" { // as a private one
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
	} else { // those that not every picture has
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Cache-Control", "public, max-age=300")
		h.Set("Content-Disposition", `inline; filename="a_b.webp"; filename*=UTF-8''%C3%A4%20b.webp`)
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("Link", `<https://kadr.example/i/abc>; rel="canonical"`)
		h.Set("Vary", "Cookie, Authorization")
	}
	if name == "long" { // as a name of 255 characters may become
		h.Set("Content-Disposition", `inline; filename="`+strings.Repeat("_", 255)+`"; filename*=UTF-8''`+strings.Repeat("%F0%9F%98%80", 255))
		h.Set("Link", `<https://kadr.example/i/abc?sig=`+strings.Repeat("s", 200)+`>; rel="canonical"`)
	}
	if u.accel && r.Header.Get("X-Kadr-Direct") == "" && r.Header.Get("If-Match") == "" && r.Header.Get("If-Unmodified-Since") == "" {
		if !u.unchanged(w, r) {
			for _, name := range []string{"Cache-Control", "Content-Disposition"} { // see pictures.conf
				if value := h.Get(name); value != "" {
					h.Set("X-Kadr-"+name, value)
					h.Del(name)
				}
			}
			if h.Get("Access-Control-Allow-Origin") != "" { // see http.conf
				h.Del("Access-Control-Allow-Origin")
				h.Del("Cross-Origin-Resource-Policy")
			}
			h.Set("Last-Modified", modified.Format(http.TimeFormat))
			h.Set("X-Accel-Redirect", "/_storage"+file)
		}
		return
	}
	u.send(w, r, file)
}

// unchanged replies 304 where a whole picture would be.
func (u upstream) unchanged(w http.ResponseWriter, r *http.Request) bool {
	whole := r.Clone(r.Context())
	whole.Header.Del("Range")
	rec := httptest.NewRecorder()
	rec.Header().Set("ETag", etag)
	http.ServeContent(rec, whole, "", modified, strings.NewReader("x"))
	if rec.Code != http.StatusNotModified {
		return false
	}
	http.ServeContent(w, whole, "", modified, strings.NewReader("x"))
	return true
}

// send is KADR_DELIVERY=direct.
func (u upstream) send(w http.ResponseWriter, r *http.Request, file string) {
	if clean, err := url.PathUnescape(file); err != nil || !within(clean, "/blobs", "/variants") {
		refuse(w, http.StatusNotFound)
		return
	}
	f, err := os.Open(filepath.Join(u.storage, file))
	if file == "/variants/aa/bb/evicted" { // is made anew
		f, err = os.Open(filepath.Join(u.storage, "/blobs/aa/bb/original"))
	}
	if err != nil {
		refuse(w, http.StatusGone)
		return
	}
	defer f.Close()
	out := &refusing{ResponseWriter: w}
	http.ServeContent(out, r, "", modified, f)
	if out.refused != 0 {
		refuse(w, out.refused)
	}
}

// within tells whether a path leads into one of the folders.
func within(name string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return strings.HasPrefix(path.Clean(name), f+"/") })
}

// refusing keeps net/http's own refusals out of a reply.
type refusing struct {
	http.ResponseWriter
	refused int
}

func (w *refusing) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		w.refused = status
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *refusing) Write(b []byte) (int, error) {
	if w.refused != 0 {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// rig is the stand-in twice: alone, and behind nginx.
type rig struct{ direct, gateway string }

func newRig(t *testing.T) rig {
	t.Helper()
	storage := t.TempDir()
	picture := make([]byte, size)
	for i := range picture {
		picture[i] = byte(i * i / 7)
	}
	for path, data := range map[string][]byte{
		"blobs/aa/bb/original": picture, "variants/aa/bb/cc/w320.webp": bytes.Clone(picture[7:]),
		"tmp/staged": []byte(token), "quarantine/bad": []byte(token), "instance": []byte(token),
	} {
		name := filepath.Join(storage, path)
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o440); err != nil {
			t.Fatal(err)
		}
	}
	direct := httptest.NewServer(upstream{storage: storage})
	t.Cleanup(direct.Close)
	accel := httptest.NewServer(upstream{storage: storage, accel: true})
	t.Cleanup(accel.Close)
	g := nginxtest.Run(t, nginxtest.Config{Upstream: accel.Listener.Addr().String(), Storage: storage, Workers: 1})
	return rig{direct: direct.URL, gateway: g.URL}
}
