package httpapi_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"mime"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestLinks(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	anna := in.person(t)

	t.Run("the ladder", func(t *testing.T) {
		t.Parallel()
		c := anna.as(t)
		img := c.stored(jpegOf("ladder", 900, 600), "")
		stranger := in.stranger(t)
		for _, w := range []int{64, 160, 320, 480, 640, 800} {
			for _, extension := range []string{"jpg", "png", "webp", "gif"} {
				r := stranger.get(fmt.Sprintf("/i/%s.%s?w=%d", img.ID, extension, w)).want(200)
				format, width, height := sizeOf(t, r.body)
				if width != w || height != (w*2+1)/3 || !strings.HasPrefix(extension, format[:2]) {
					t.Errorf("%s at %d: %s of %d by %d", extension, w, format, width, height)
				}
				if want := map[string]string{"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "gif": "image/gif"}[extension]; r.Header.Get("Content-Type") != want {
					t.Errorf("%s: Content-Type %q", extension, r.Header.Get("Content-Type"))
				}
			}
		}
		original := stranger.get(img.URL).want(200)
		for _, path := range []string{"/i/" + img.ID + ".jpeg", img.URL + "?w=1024", img.URL + "?w=3840"} {
			if r := stranger.get(path).want(200); !bytes.Equal(r.body, original.body) || r.Header.Get("ETag") != original.Header.Get("ETag") {
				t.Errorf("%s should be the original", path)
			}
		}
		if _, width, _ := sizeOf(t, stranger.get("/i/"+img.ID+".png").want(200).body); width != 900 {
			t.Errorf("as PNG it is %d wide", width)
		}
		for _, w := range []string{"0", "-1", "8193", "320.5", "320px", "x", "99999999999"} {
			if r := stranger.get(img.URL + "?w=" + w); r.StatusCode != http.StatusBadRequest {
				t.Errorf("w=%s: %d", w, r.StatusCode)
			} else if p := r.problem(400, "invalid_request"); *(*p.Errors)[0].Parameter != "w" {
				t.Errorf("w=%s: %+v", w, p.Errors)
			}
		}
		for _, query := range []string{"w=65", "w=320&h=200", "h=320", "q=50", "rotate=90", "w=320&enlarge=true", "page=1", "crop=0,0,10,10"} {
			stranger.get(img.URL+"?"+query).problem(403, "signature_needed")
			anna.as(t).get(img.URL+"?"+query).problem(403, "signature_needed")
		}
		stranger.get(img.URL+"?width=100").fault("?width", "unknown_parameter")
		stranger.get(img.URL+"?w=320&dpr=1.1").fault("?dpr", "multiple_of")
		stranger.get(img.URL+"?rotate=45").fault("?rotate", "multiple_of")
		if f := stranger.get(img.URL+"?crop=1,2,3").fault("?crop", "pattern"); !strings.Contains(f.Detail, "100,50,800,600") {
			t.Errorf("%q does not say what a crop looks like", f.Detail)
		}
		stranger.get("/i/"+img.ID+".heic").problem(404, "format_unavailable")
		if _, width, height := sizeOf(t, stranger.get("/i/"+img.ID+".webp?w=160&dpr=1.5").want(200).body); width != 240 || height != 160 {
			t.Errorf("160 at 1.5 pixels is %d by %d", width, height)
		}
	})
	t.Run("animations", func(t *testing.T) {
		t.Parallel()
		c := anna.as(t)
		picture := gifOf("animation", 400, 200, 3)
		img := c.stored(picture, "")
		if !bytes.Equal(c.get(img.URL).want(200).body, picture) {
			t.Error("the animation did not come back to the byte")
		}
		small, err := gif.DecodeAll(bytes.NewReader(c.get(img.URL + "?w=320").want(200).body))
		if err != nil || len(small.Image) != 3 || small.Config.Width != 320 || small.Delay[1] != 10 {
			t.Errorf("the smaller animation: %+v, %v", small.Config, err)
		}
		c.get(img.URL + "?w=640").want(200) // narrower already
		if format, width, _ := sizeOf(t, c.get(img.ThumbnailURL).want(200).body); width != 320 || format == "gif" {
			t.Errorf("the thumbnail is a %s of %d", format, width)
		}
		tiny := c.stored(gifOf("small animation", 40, 20, 2), "")
		if _, width, _ := sizeOf(t, c.get(tiny.ThumbnailURL).want(200).body); width != 40 {
			t.Errorf("the thumbnail is %d wide", width)
		}
		webp := animatedWebP(t)
		img = c.stored(webp, "")
		if img.MediaType != "image/webp" || !bytes.Equal(c.get(img.URL).want(200).body, webp) {
			t.Errorf("the animated WebP did not come back to the byte: %+v", img)
		}
		c.get(img.ThumbnailURL).want(200)
	})
	t.Run("transparency", func(t *testing.T) {
		t.Parallel()
		c := anna.as(t)
		clear := image.NewNRGBA(image.Rect(0, 0, 400, 400))
		for i := range 400 {
			clear.SetNRGBA(i, i, color.NRGBA{200, 10, 10, 255})
		}
		img := c.stored(encodePNG(clear), "")
		for extension, transparent := range map[string]bool{"png": true, "webp": true, "jpg": false} {
			decoded, _, err := image.Decode(bytes.NewReader(c.get("/i/" + img.ID + "." + extension + "?w=320").want(200).body))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, _, a := decoded.At(10, 200).RGBA(); (a == 0) != transparent {
				t.Errorf("%s: alpha is %d", extension, a)
			}
		}
	})
	t.Run("orientation", func(t *testing.T) {
		t.Parallel()
		c := anna.as(t)
		img := c.stored(withExif(jpegOf("portrait", 600, 400), 6), "")
		if img.Width != 400 || img.Height != 600 {
			t.Errorf("%d by %d", img.Width, img.Height)
		}
		if _, width, height := sizeOf(t, c.get(img.URL+"?w=160").want(200).body); width != 160 || height != 240 {
			t.Errorf("the variant is %d by %d", width, height)
		}
	})
	t.Run("headers", func(t *testing.T) {
		t.Parallel()
		c := anna.as(t)
		img := c.stored(pngOf("headers", 400, 300), "?filename=%D0%97%D0%B0%D0%BA%D0%B0%D1%82+%22%D0%BD%D0%B0%D0%B4%22+100%25.png")
		r := in.stranger(t).get(img.URL).want(200)
		for name, want := range map[string]string{
			"Cache-Control": "public, max-age=300", "Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff",
			"Content-Type": "image/png", "Accept-Ranges": "bytes", "Content-Length": fmt.Sprint(img.Size), "Access-Control-Allow-Origin": "*",
			"Cross-Origin-Resource-Policy": "cross-origin",
			"Content-Disposition":          `inline; filename="_____ _____ 100_.png"; filename*=UTF-8''%D0%97%D0%B0%D0%BA%D0%B0%D1%82%20%22%D0%BD%D0%B0%D0%B4%22%20100%25.png`,
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if modified, err := http.ParseTime(r.Header.Get("Last-Modified")); err != nil || time.Since(modified) > time.Hour {
			t.Errorf("Last-Modified %q", r.Header.Get("Last-Modified"))
		}
		_, params, err := mime.ParseMediaType(in.stranger(t).get(img.URL + "?w=64").want(200).Header.Get("Content-Disposition"))
		if err != nil || params["filename"] != `Закат "над" 100%.png` {
			t.Errorf("%v %v", params, err)
		}
		if got := in.stranger(t).get("/i/" + img.ID + ".webp").want(200).Header.Get("Content-Disposition"); !strings.HasSuffix(got, "%25.webp") {
			t.Errorf("Content-Disposition %q", got)
		}
		// The longest name of the longest letters.
		c.do("PATCH", "/api/v1/images/"+img.ID, object{"filename": strings.Repeat("😀", 255)}).want(200)
		c.get(img.URL).want(200)
		c.do("PATCH", "/api/v1/images/"+img.ID, object{"filename": "plain.png"}).want(200)
		if got := c.get(img.URL).want(200).Header.Get("Content-Disposition"); got != `inline; filename="plain.png"` {
			t.Errorf("Content-Disposition %q", got)
		}
	})
	t.Run("ranges and conditions", func(t *testing.T) { t.Parallel(); testRanges(t, anna.as(t)) })
	t.Run("deletion and visibility", func(t *testing.T) {
		t.Parallel()
		c, stranger := anna.as(t), in.stranger(t)
		img := c.stored(pngOf("visible", 400, 300), "?visibility=public")
		links := []string{img.URL, img.ThumbnailURL, "/i/" + img.ID + ".jpg?w=64", "/i/" + img.ID, "/api/v1/images/" + img.ID}
		all := func(status int) {
			t.Helper()
			for _, link := range links {
				stranger.get(link).want(status)
			}
		}
		all(200)
		c.do("PATCH", "/api/v1/images/"+img.ID, object{"visibility": "private"}).want(200)
		all(404)
		c.get(img.URL).want(200)
		c.do("POST", "/api/v1/images/bulk", object{"action": "set_visibility", "visibility": "unlisted", "ids": []string{img.ID}}).want(200)
		all(200)
		c.do("DELETE", "/api/v1/images/"+img.ID, nil).want(204)
		all(410)
		c.get(img.URL).problem(410, "image_gone")
		c.do("PATCH", "/api/v1/images/"+img.ID, object{"title": "x"}).problem(410, "image_gone")
		c.do("DELETE", "/api/v1/images/"+img.ID, nil).problem(410, "image_gone")
		if again := c.upload(pngOf("visible", 400, 300), "").want(201).image(); again.ID == img.ID {
			t.Error("the id of a deleted picture was given out again")
		}
	})
	t.Run("many ask for one variant", func(t *testing.T) {
		t.Parallel()
		img := anna.as(t).stored(jpegOf("crowd", 700, 500), "")
		var wg sync.WaitGroup
		tags := make([]string, 10)
		for i := range tags {
			wg.Go(func() { tags[i] = in.stranger(t).get("/i/" + img.ID + ".png?w=480").want(200).Header.Get("ETag") })
		}
		wg.Wait()
		for _, tag := range tags {
			if tag != tags[0] {
				t.Errorf("different ETags: %v", tags)
			}
		}
	})
}

func testRanges(t *testing.T, c *client) {
	picture := pngOf("ranges", 50, 50)
	img := c.stored(picture, "")
	tag := c.get(img.URL).want(200).Header.Get("ETag")
	if !strings.HasPrefix(tag, `"`) {
		t.Errorf("ETag %s is not strong", tag)
	}
	size := len(picture)
	for name, tc := range map[string]struct {
		headers []string
		status  int
		body    []byte
	}{
		"from 10":               {[]string{"Range: bytes=10-"}, 206, picture[10:]},
		"the last 5":            {[]string{"Range: bytes=-5"}, 206, picture[size-5:]},
		"one byte":              {[]string{"Range: bytes=0-0"}, 206, picture[:1]},
		"longer than it is":     {[]string{fmt.Sprintf("Range: bytes=5-%d", size+100)}, 206, picture[5:]},
		"another unit":          {[]string{"Range: rows=1-2"}, 200, picture},
		"nonsense":              {[]string{"Range: bytes=x"}, 416, nil},
		"beyond":                {[]string{fmt.Sprintf("Range: bytes=%d-", size)}, 416, nil},
		"if it is this":         {[]string{"Range: bytes=0-0", "If-Range: " + tag}, 206, picture[:1]},
		"if it is another":      {[]string{"Range: bytes=0-0", `If-Range: "x"`}, 200, picture},
		"known":                 {[]string{"If-None-Match: " + tag}, 304, nil},
		"known among others":    {[]string{`If-None-Match: "x", ` + tag}, 304, nil},
		"known on another line": {[]string{`If-None-Match: "x"`, "If-None-Match: " + tag}, 304, nil},
		"known, weakly":         {[]string{"If-None-Match: W/" + tag}, 304, nil},
		"any":                   {[]string{"If-None-Match: *"}, 304, nil},
		"unknown":               {[]string{`If-None-Match: "x"`}, 200, picture},
		"only if this":          {[]string{"If-Match: " + tag}, 200, picture},
		"only if another":       {[]string{`If-Match: "x"`}, 412, nil},
		"not since":             {[]string{"If-Modified-Since: " + time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}, 304, nil},
	} {
		r := c.get(img.URL, tc.headers...)
		if r.StatusCode != tc.status || (tc.body != nil && !bytes.Equal(r.body, tc.body)) {
			t.Errorf("%s: %d and %d bytes, want %d and %d", name, r.StatusCode, len(r.body), tc.status, len(tc.body))
		}
		switch r.StatusCode {
		case http.StatusRequestedRangeNotSatisfiable:
			if r.problem(416, "range_not_satisfiable"); r.Header.Get("Content-Range") != fmt.Sprintf("bytes */%d", size) && name == "beyond" {
				t.Errorf("%s: Content-Range %q", name, r.Header.Get("Content-Range"))
			}
			if r.Header.Get("ETag") != "" || r.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %v", name, r.Header)
			}
		case http.StatusPreconditionFailed:
			r.problem(412, "precondition_failed")
		case http.StatusNotModified:
			if r.Header.Get("ETag") != tag || len(r.body) != 0 {
				t.Errorf("%s: ETag %q and %d bytes", name, r.Header.Get("ETag"), len(r.body))
			}
		}
	}
	r := c.get(img.URL, "Range: bytes=0-1,4-5").want(206)
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/byteranges") {
		t.Errorf("Content-Type %q", r.Header.Get("Content-Type"))
	}
}
