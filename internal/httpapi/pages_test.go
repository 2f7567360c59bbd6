package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	api "github.com/kadr-app/kadr/gen/client"
)

// document is a page as a browser and a crawler read it.
type document struct {
	title string
	metas map[string][]string // by name or property
	links map[string][]map[string]string
	// scripts are what is in them, or where they come from.
	scripts []string
	data    struct {
		Status    int
		RequestID string `json:"request_id"`
		Image     *api.Image
		Visitor   bool
	}
}

// document reads a page, and holds it against what all pages are.
func (r *reply) document(status int) document {
	r.t.Helper()
	r.want(status)
	vary := "Accept-Encoding, Cookie"
	if strings.HasPrefix(r.Request.URL.Path, "/problems") {
		vary = "Accept-Encoding"
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
		"Cross-Origin-Opener-Policy": "same-origin", "Vary": vary,
	} {
		if got := r.Header.Get(name); got != want {
			r.t.Errorf("%s: %s is %q, not %q", r.Request.URL, name, got, want)
		}
	}
	policy := r.Header.Get("Content-Security-Policy")
	for _, part := range []string{
		"default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'", "trusted-types kadr",
		"worker-src 'self'", "manifest-src 'self'", "connect-src 'self'", "img-src 'self' blob: data:",
	} {
		if !slices.Contains(strings.Split(policy, "; "), part) {
			r.t.Errorf("%s: the policy %q lacks %s", r.Request.URL, policy, part)
		}
	}
	if !strings.Contains(r.Header.Get("Permissions-Policy"), "camera=()") || strings.Contains(policy, "unsafe") {
		r.t.Errorf("%s: %v", r.Request.URL, r.Header)
	}
	root, err := html.Parse(bytes.NewReader(r.body))
	if err != nil {
		r.t.Fatal(err)
	}
	d := document{metas: map[string][]string{}, links: map[string][]map[string]string{}}
	inHead := 0
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		attr := map[string]string{}
		for _, a := range n.Attr {
			attr[a.Key] = a.Val
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
				r.t.Errorf("%s: <%s %s=%q>", r.Request.URL, n.Data, a.Key, a.Val)
			}
		}
		if n.Parent != nil && n.Parent.Data == "head" {
			inHead++
		}
		text := ""
		if n.FirstChild != nil {
			text = n.FirstChild.Data
		}
		switch n.Data {
		case "title":
			d.title = text
		case "meta":
			name := attr["name"] + attr["property"]
			d.metas[name] = append(d.metas[name], attr["content"])
		case "link":
			d.links[attr["rel"]] = append(d.links[attr["rel"]], attr)
		case "script":
			d.scripts = append(d.scripts, attr["src"]+attr["id"])
			if attr["id"] != "kadr-data" {
				break
			}
			if err := json.Unmarshal([]byte(text), &d.data); err != nil || attr["type"] != "application/json" || n.Parent.Data != "head" {
				r.t.Errorf("%s: the data block %v: %v %s", r.Request.URL, attr, err, text)
			}
		}
	}
	if inHead < 8 || slices.ContainsFunc(d.scripts, func(s string) bool { return s != "/js/app.js" && s != "kadr-data" }) {
		r.t.Errorf("%s: %d elements in the head, scripts %q", r.Request.URL, inHead, d.scripts)
	}
	return d
}

// meta is what the page says of itself under a name, once.
func (d document) meta(name string) string {
	if len(d.metas[name]) > 1 {
		return fmt.Sprintf("%q", d.metas[name])
	}
	return strings.Join(d.metas[name], "")
}

func (d document) canonical() string {
	if len(d.links["canonical"]) != 1 {
		return fmt.Sprint(d.links["canonical"])
	}
	return d.links["canonical"][0]["href"]
}

func TestFixedPages(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	c := in.stranger(t)
	for path, title := range map[string]string{
		"/": "Kadr", "/pictures?q=x&sort=name": "My pictures · Kadr", "/settings": "Settings · Kadr", "/sign-in?next=%2Fpictures": "Sign in · Kadr",
		"/register": "Register · Kadr",
	} {
		r := c.get(path)
		d := r.document(200)
		address, _, _ := strings.Cut(path, "?")
		if d.title != title || d.canonical() != publicURL+address || d.data.Image != nil {
			t.Errorf("%s: %+v", path, d)
		}
		if hidden := d.meta("robots") == "noindex"; hidden == (path == "/") || hidden == (d.meta("og:title") == "Kadr") {
			t.Errorf("%s: %v", path, d.metas)
		}
		tag := r.Header.Get("ETag")
		if unchanged := c.get(path, "If-None-Match: "+tag).want(304); unchanged.Header.Get("ETag") != tag || unchanged.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s unchanged: %v", path, unchanged.Header)
		}
		if head := c.do("HEAD", path, nil).want(200); len(head.body) != 0 || head.Header.Get("ETag") != tag || head.ContentLength != int64(len(r.body)) {
			t.Errorf("%s by HEAD: %v", path, head.Header)
		}
		if no := c.do("POST", path, nil, "Accept: text/html"); no.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s by POST: %v", path, no.Header)
		} else {
			no.problem(405, "method_not_allowed")
		}
	}
}

// TestVisitors are told by the page that nobody is signed in, so that its script need not ask. Whether a session is real is
// not the page's to say.
func TestVisitors(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	stranger, member := in.stranger(t), in.person(t)
	img := member.stored(pngOf("visitors", 40, 30), "")
	for _, path := range []string{"/", "/pictures", "/settings", "/p/" + img.ID} {
		visited, own := stranger.get(path), member.get(path)
		if !visited.document(200).data.Visitor || own.document(200).data.Visitor {
			t.Errorf("%s: who has a session and who has none is not told apart", path)
		}
		if tag := visited.Header.Get("ETag"); tag == own.Header.Get("ETag") || member.get(path, "If-None-Match: "+tag).StatusCode != http.StatusOK {
			t.Errorf("%s: a visitor's page would stay after signing in", path)
		}
	}
}

func TestCompressedPages(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	c := in.stranger(t)
	img := in.person(t).stored(pngOf("compressed page", 40, 30), "")
	for _, path := range []string{"/", "/js/app.js", "/css/base.css", "/favicon.svg", "/p/" + img.ID, "/p/aaaaaaaaaaaaa"} {
		plain, packed := c.get(path), c.get(path, "Accept-Encoding: br;q=1, gzip;q=0.8")
		if packed.Header.Get("Content-Encoding") != "gzip" || !strings.HasPrefix(packed.Header.Get("Vary"), "Accept-Encoding") || len(packed.body) >= len(plain.body) ||
			plain.Header.Get("Content-Encoding") != "" || plain.Header.Get("Vary") != packed.Header.Get("Vary") || packed.StatusCode != plain.StatusCode {
			t.Errorf("%s: %d and %d bytes, %v", path, len(plain.body), len(packed.body), packed.Header)
		}
		reader, err := gzip.NewReader(bytes.NewReader(packed.body))
		if err != nil {
			t.Fatal(err)
		}
		without := func(r *reply, b []byte) string {
			return strings.ReplaceAll(string(b), r.Header.Get("X-Request-Id"), "id")
		}
		if text, err := io.ReadAll(reader); err != nil || without(packed, text) != without(plain, plain.body) {
			t.Errorf("%s: what is compressed is another: %v", path, err)
		}
		tag := packed.Header.Get("ETag")
		if plain.StatusCode != http.StatusOK {
			if tag != "" || packed.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %v", path, packed.Header)
			}
			continue
		}
		if tag == plain.Header.Get("ETag") {
			t.Errorf("%s: two answers have one ETag", path)
		}
		if unchanged := c.get(path, "Accept-Encoding: gzip", "If-None-Match: "+tag).want(304); unchanged.Header.Get("ETag") != tag || unchanged.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s unchanged: %v", path, unchanged.Header)
		}
		c.get(path, "If-None-Match: "+tag).want(200)
		if refused := c.get(path, "Accept-Encoding: gzip;q=0").want(200); refused.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: compressed for who refuses it", path)
		}
	}
}

// What is not there is a page for a person, and a document for a program.
func TestUnknownAddresses(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	c := in.stranger(t)
	const browser = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	for _, path := range []string{"/nowhere", "/p", "/p/", "/u", "/js/none.js", "/static.go", "/.env", "/%00", "/locales/none.json"} {
		if d := c.get(path, browser).document(404); d.data.Status != 404 || d.data.RequestID == "" || d.title != "Not found · Kadr" {
			t.Errorf("%s: %+v", path, d)
		}
		if head := c.do("HEAD", path, nil, browser).want(404); len(head.body) != 0 || head.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s by HEAD: %v", path, head.Header)
		}
		c.get(path).problem(404, "not_found")
		c.get(path, "Accept: application/json").problem(404, "not_found")
		c.do("POST", path, nil, browser).problem(404, "not_found")
	}
	for _, path := range []string{"/p/a/b", "/p/aaaaaaaaaaaaa/", "/u/anna/x"} { // below pages there are only pages
		c.get(path).document(404)
	}
	for _, path := range []string{"/api/none", "/api/v1/images/aaaaaaaaaaaaa", "/i/aaaaaaaaaaaaa.png", "/i/a/b", "/docs/none.js"} {
		c.get(path, browser).problem(404, "")
	}
}

// A fault of ours is a page too, and only pages that need what is broken have it.
func TestBrokenPages(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	in.quiet.Store(true)
	c := in.person(t)
	if _, err := in.db.Pool.Exec(t.Context(), `ALTER TABLE images RENAME TO images_away`); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/p/aaaaaaaaaaaaa", "/u/" + c.name} {
		r := c.get(path)
		if d := r.document(500); d.data.Status != 500 || d.data.RequestID != r.Header.Get("X-Request-Id") || strings.Contains(string(r.body), "images_away") {
			t.Errorf("%s: %s", path, r.body)
		}
	}
	c.get("/").document(200)
	c.get("/pictures").document(200)
}

func TestRobots(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	text := string(in.stranger(t).get("/robots.txt").want(200).body)
	if !strings.Contains(text, "User-agent: *\nDisallow: /api/\n") || strings.Count(text, "Disallow") != 1 {
		t.Errorf("%s", text)
	}
}

// TestPagesNameTheirModules holds that a page names every script that it needs, each once, so that none waits for another.
func TestPagesNameTheirModules(t *testing.T) {
	t.Parallel()
	c := newInstance(t).stranger(t)
	for address, want := range map[string][]string{
		"/":         {"/js/pages/home.js", "/js/components/grid.js", "/js/justify.js"},
		"/pictures": {"/js/pages/pictures.js", "/js/components/grid.js"},
		"/settings": {"/js/pages/settings.js", "/js/form.js"},
		"/sign-in":  {"/js/pages/sign-in.js", "/js/form.js"},
	} {
		var named []string
		for _, link := range c.get(address).document(http.StatusOK).links["modulepreload"] {
			named = append(named, link["href"])
		}
		for _, module := range append(want, "/js/api.js", "/js/components/intake.js") {
			if !slices.Contains(named, module) {
				t.Errorf("%s does not name %s, but %q", address, module, named)
			}
		}
		slices.Sort(named)
		if once := slices.Compact(slices.Clone(named)); len(once) != len(named) {
			t.Errorf("%s names modules twice: %q", address, named)
		}
	}
}
