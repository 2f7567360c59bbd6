package httpapi_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	api "github.com/kadr-app/kadr/gen/client"
)

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
		srcset = append(srcset, fmt.Sprintf("%s %dw", shown.URL, shown.Width))
		preload := d.links["preload"]
		if len(preload) != 1 || preload[0]["as"] != "image" || preload[0]["imagesrcset"] != strings.Join(srcset, ", ") || preload[0]["imagesizes"] != "100vw" ||
			len(srcset) != 3 {
			t.Errorf("preload %v, not %v", preload, srcset)
		}

		// The ETag is of this text.
		tag := r.Header.Get("ETag")
		stranger.get("/p/"+img.ID, "If-None-Match: "+tag).want(304)
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
		ended := c.browser()
		cookies := ended.http.Jar.Cookies(mustURL(t, "/"))
		ended.get(path).document(200)
		ended.do("DELETE", "/api/v1/sessions/current", nil).want(204)
		ended.http.Jar.SetCookies(mustURL(t, "/"), cookies)
		for name, who := range map[string]*client{"a stranger": stranger, "another member": other, "a key, which is no session": key, "its owner, whose session ended": ended} {
			private, none := who.get(path), who.get("/p/aaaaaaaaaaaaa")
			if d := private.document(404); d.data.Status != 404 || d.data.Image != nil || d.data.RequestID != private.Header.Get("X-Request-Id") || d.meta("robots") != "noindex" || d.canonical() != "[]" {
				t.Errorf("%s: %+v", name, d)
			}
			if private.Header.Get("Cache-Control") != "no-store" || strings.Contains(string(private.body), "Secret") || anonymous(private) != anonymous(none) || none.StatusCode != http.StatusNotFound {
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
