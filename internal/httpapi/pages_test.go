package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
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
	}
}

// document reads a page, and holds it against what all pages are.
func (r *reply) document(status int) document {
	r.t.Helper()
	r.want(status)
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
		"Cross-Origin-Opener-Policy": "same-origin", "Vary": "Accept-Encoding",
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
		if d.title != title || d.canonical() != publicURL+address || d.data.Status != 0 {
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

func TestCompressedPages(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	c := in.stranger(t)
	img := in.person(t).stored(pngOf("compressed page", 40, 30), "")
	for _, path := range []string{"/", "/js/app.js", "/css/base.css", "/favicon.svg", "/p/" + img.ID, "/p/aaaaaaaaaaaaa"} {
		plain, packed := c.get(path), c.get(path, "Accept-Encoding: br;q=1, gzip;q=0.8")
		if packed.Header.Get("Content-Encoding") != "gzip" || packed.Header.Get("Vary") != "Accept-Encoding" || len(packed.body) >= len(plain.body) ||
			plain.Header.Get("Content-Encoding") != "" || plain.Header.Get("Vary") != "Accept-Encoding" || packed.StatusCode != plain.StatusCode {
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
		if plain.StatusCode != 200 {
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

func TestPicturePage(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	anna := in.person(t)
	stranger, other := in.stranger(t), in.person(t)

	t.Run("head and data", func(t *testing.T) {
		t.Parallel()
		c, stranger := anna.as(t), stranger.as(t)
		img := c.stored(jpegOf("page", 900, 600), "?visibility=public&title=Sunset&description="+url.QueryEscape("Three boats.\n\nAnd the sun."))
		r := stranger.get("/p/" + img.ID + "?utm_source=x")
		d := r.document(200)
		if d.title != "Sunset · Kadr" || d.canonical() != img.PageURL || r.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%q %s %v", d.title, d.canonical(), r.Header)
		}
		still := publicURL + "/i/" + img.ID + ".jpg?v="
		for name, want := range map[string]string{
			"description": "Three boats. And the sun.", "robots": "", "og:site_name": "Kadr", "og:type": "website", "og:title": "Sunset",
			"og:description": "Three boats. And the sun.", "og:url": img.PageURL, "og:image:type": "image/jpeg", "og:image:width": "900",
			"og:image:height": "600", "og:image:alt": "Three boats. And the sun.", "twitter:card": "summary_large_image",
		} {
			if got := d.meta(name); got != want {
				t.Errorf("%s is %q, not %q", name, got, want)
			}
		}
		if got := d.meta("og:image"); !strings.HasPrefix(got, still) {
			t.Errorf("og:image is %s", got)
		}
		if format, width, _ := sizeOf(t, stranger.get(d.meta("og:image")).want(200).body); format != "jpeg" || width != 900 {
			t.Errorf("og:image is a %s of %d", format, width)
		}
		embeds := d.links["alternate"]
		if len(embeds) != 2 || embeds[0]["type"] != "application/json+oembed" || embeds[0]["title"] != "Sunset" || embeds[1]["type"] != "text/xml+oembed" {
			t.Fatalf("alternates: %v", embeds)
		}
		var embed api.OEmbed
		stranger.get(embeds[0]["href"]).want(200).into(&embed)
		if embed.Title != "Sunset" || stranger.get(embeds[1]["href"]).want(200).Header.Get("Content-Type") != "text/xml" {
			t.Errorf("embed: %+v", embed)
		}

		var shown api.Image
		stranger.get("/api/v1/images/" + img.ID).want(200).into(&shown)
		if d.data.Status != 200 || d.data.RequestID != "" || fmt.Sprintf("%+v", d.data.Image) == "" || d.data.Image.ID != shown.ID ||
			len(*d.data.Image.Variants) != len(*shown.Variants) || d.data.Image.Title != "Sunset" {
			t.Errorf("data: %+v", d.data)
		}
		var srcset []string
		for _, v := range *shown.Variants {
			if v.MediaType == "image/webp" {
				srcset = append(srcset, fmt.Sprintf("%s %dw", v.URL, v.Width))
			}
		}
		preload := d.links["preload"]
		if len(preload) != 1 || preload[0]["as"] != "image" || preload[0]["imagesrcset"] != strings.Join(srcset, ", ") || preload[0]["imagesizes"] != "100vw" ||
			len(srcset) != 2 {
			t.Errorf("preload %v, not %v", preload, srcset)
		}

		// The ETag is of this text.
		tag := r.Header.Get("ETag")
		stranger.get("/p/"+img.ID, "If-None-Match: "+tag).want(304)
		c.get("/p/"+img.ID, "If-None-Match: "+tag).want(304) // its owner sees the same
		c.do("PATCH", "/api/v1/images/"+img.ID, object{"title": "Sunrise"}).want(200)
		if d := stranger.get("/p/"+img.ID, "If-None-Match: "+tag).document(200); d.title != "Sunrise · Kadr" {
			t.Errorf("after a change: %q", d.title)
		}
		if head := stranger.do("HEAD", "/p/"+img.ID, nil).want(200); len(head.body) != 0 || head.Header.Get("ETag") == "" {
			t.Errorf("by HEAD: %v", head.Header)
		}
	})
	t.Run("other kinds", func(t *testing.T) {
		t.Parallel()
		c, stranger := anna.as(t), stranger.as(t)
		wide := stranger.get("/p/" + c.stored(pngOf("wide page", 1400, 20), "?filename=wide.png").ID).document(200)
		if wide.title != "wide.png · Kadr" || wide.meta("description") != "1400 × 20, by "+c.name+" on Kadr." || wide.meta("og:image:width") != "1280" ||
			wide.meta("og:image:height") != "18" || wide.meta("og:image:type") != "image/jpeg" || wide.meta("og:image:alt") != "wide.png" {
			t.Errorf("wide: %v", wide.metas)
		}
		if wide.meta("robots") != "noindex" {
			t.Error("an unlisted picture may be found")
		}
		moving := c.stored(gifOf("moving page", 300, 200, 3), "")
		d := stranger.get("/p/" + moving.ID).document(200)
		if types := d.metas["og:image:type"]; len(types) != 2 || types[0] != "image/gif" {
			t.Errorf("moving: %v", d.metas)
		}
		if gif := stranger.get(d.metas["og:image"][0]).want(200); gif.Header.Get("Content-Length") != fmt.Sprint(moving.Size) {
			t.Errorf("the first is not the original: %v", gif.Header)
		}
		if format, _, _ := sizeOf(t, stranger.get(d.metas["og:image"][1]).want(200).body); format == "gif" {
			t.Errorf("the second is a %s", format)
		}
		if p := d.links["preload"]; len(p) != 1 || p[0]["href"] != moving.URL { // narrower than any variant
			t.Errorf("preload: %v", p)
		}
		long := c.stored(pngOf("long page", 30, 31), "?description="+url.QueryEscape(strings.Repeat("слово ", 600)))
		if got := []rune(stranger.get("/p/" + long.ID).document(200).meta("og:description")); len(got) > 300 || got[len(got)-1] != '…' {
			t.Errorf("%d characters: %s", len(got), string(got))
		}
	})
	t.Run("hostile texts", func(t *testing.T) {
		t.Parallel()
		c, stranger := anna.as(t), stranger.as(t)
		for i, text := range []string{
			`</title><script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onload='alert(1)`, `<!--`, `--><script>`, `</script><script>alert(1)</script>`,
			`<!--/head--></head><body>`, `{{.URL}}`, `0;url=javascript:alert(1)`, `&lt;b&gt; &amp; &#34;`, "Закат «над» бухтой", "😀 \u202e \u2028 end", `\u003c \" \\`, "<![CDATA[x]]>",
		} {
			img := c.stored(pngOf("hostile page "+text, 30, 20), "?visibility=public&title="+url.QueryEscape(text)+"&description="+url.QueryEscape(text)+"&filename="+url.QueryEscape(strings.NewReplacer("/", "", `\`, "").Replace(text)))
			r := stranger.get("/p/" + img.ID)
			d := r.document(200)
			if img.Title != text || d.title != text+" · Kadr" || d.meta("og:title") != text || d.meta("description") != strings.Join(strings.Fields(text), " ") || d.meta("og:image:alt") != strings.Join(strings.Fields(text), " ") ||
				d.links["alternate"][0]["title"] != text || d.data.Image == nil || d.data.Image.Title != text || d.data.Image.Description != text {
				t.Errorf("%d: %q became %q %v %+v", i, text, d.title, d.metas, d.data.Image)
			}
			if len(d.scripts) != 2 || strings.Contains(string(r.body), "<img src=x") {
				t.Errorf("%q: scripts %q", text, d.scripts)
			}
		}
	})
	t.Run("private, deleted, none", func(t *testing.T) {
		t.Parallel()
		c, stranger, other := anna.as(t), stranger.as(t), other.as(t)
		img := c.stored(pngOf("private page", 700, 20), "?visibility=private&title=Secret")
		path := "/p/" + img.ID
		r := c.get(path)
		d := r.document(200)
		if d.data.Image == nil || d.title != "Secret · Kadr" || d.meta("robots") != "noindex" || d.meta("og:title") != "" || d.links["alternate"] != nil {
			t.Errorf("its owner sees %v %+v", d.metas, d.data)
		}
		if r.Header.Get("Cache-Control") != "private, no-store" || r.Header.Get("ETag") != "" {
			t.Errorf("its owner's page may be kept: %v", r.Header)
		}
		anonymous := func(r *reply) string { return strings.ReplaceAll(string(r.body), r.Header.Get("X-Request-Id"), "id") }
		key := c.program("images:read")
		expired := in.stranger(t)
		expired.http.Jar.SetCookies(mustURL(t, "/"), c.http.Jar.Cookies(mustURL(t, "/"))[:0])
		for name, who := range map[string]*client{"a stranger": stranger, "another member": other, "a key, which is no session": key, "nobody any more": expired} {
			private, none := who.get(path), who.get("/p/aaaaaaaaaaaaa")
			if d := private.document(404); d.data.Status != 404 || d.data.Image != nil || d.data.RequestID != private.Header.Get("X-Request-Id") || d.meta("robots") != "noindex" || d.canonical() != "[]" {
				t.Errorf("%s: %+v", name, d)
			}
			if private.Header.Get("Cache-Control") != "no-store" || strings.Contains(string(private.body), "Secret") || anonymous(private) != anonymous(none) || none.StatusCode != 404 {
				t.Errorf("%s sees that there is something: %v\n%s", name, private.Header, private.body)
			}
			a, b := maps.Clone(private.Header), maps.Clone(none.Header)
			for _, h := range []string{"X-Request-Id", "Date"} {
				a.Del(h)
				b.Del(h)
			}
			if fmt.Sprint(a) != fmt.Sprint(b) {
				t.Errorf("%s sees by the headers that there is something: %v, not %v", name, a, b)
			}
		}
		stranger.get(path, "Cookie: kadr_session=nonsense").document(404)
		stranger.get(path, "Authorization: Bearer nonsense").document(404)
		for _, path := range []string{"/p/x", "/p/AAAAAAAAAAAAA", "/p/%00", "/p/..%2f..%2fx", "/p/" + img.ID + ".jpg", "/p/%D0%B6"} {
			if d := stranger.get(path).document(404); d.data.Status != 404 {
				t.Errorf("%s: %+v", path, d)
			}
		}
		c.do("DELETE", "/api/v1/images/"+img.ID, nil).want(204)
		for _, who := range []*client{c, stranger} {
			if r := who.get(path); r.document(410).data.Status != 410 || r.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("deleted: %v", r.Header)
			}
		}
	})
}

func TestPersonPage(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	anna, stranger := in.person(t), in.stranger(t)
	path := "/u/" + anna.name
	d := stranger.get(path).document(200)
	if d.title != anna.name+" · Kadr" || d.canonical() != publicURL+path || d.meta("og:type") != "profile" || d.meta("og:image") != "" ||
		d.meta("twitter:card") != "summary" || d.data.Status != 200 {
		t.Errorf("without pictures: %+v", d)
	}
	anna.stored(pngOf("person, unlisted", 30, 20), "")
	shown := anna.stored(jpegOf("person, public", 300, 200), "?visibility=public&title=Hills")
	anna.stored(pngOf("person, private", 30, 20), "?visibility=private")
	d = stranger.get(path).document(200)
	if !strings.HasPrefix(d.meta("og:image"), publicURL+"/i/"+shown.ID+".jpg?v=") || d.meta("og:image:alt") != "Hills" ||
		d.meta("description") != "Pictures by "+anna.name+" on Kadr." || d.meta("twitter:card") != "summary_large_image" {
		t.Errorf("with one: %v", d.metas)
	}
	r := stranger.get(path)
	stranger.get(path, "If-None-Match: "+r.Header.Get("ETag")).want(304)
	for _, path := range []string{"/u/nobody", "/u/x", "/u/ANNA", "/u/%00", "/u/%3Cscript%3E", "/u/" + strings.Repeat("a", 33)} {
		if d := stranger.get(path).document(404); d.data.Status != 404 || d.data.RequestID == "" {
			t.Errorf("%s: %+v", path, d)
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
