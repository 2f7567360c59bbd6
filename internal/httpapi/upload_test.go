package httpapi_test

import (
	"bytes"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	_ "golang.org/x/image/webp"

	api "github.com/kadr-app/kadr/gen/client"
)

func TestUpload(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	anna := in.person(t)

	t.Run("raw, of every declared type", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		picture := jpegOf("raw", 40, 30)
		first := c.stored(picture, "")
		// The header is not believed, the bytes are.
		for _, mediaType := range []string{"image/jpeg", "image/png", "image/gif", "image/webp", "Image/JPEG", "application/octet-stream", "image/jpeg; x=y"} {
			img := c.do("POST", "/api/v1/images", picture, "Content-Type: "+mediaType).want(200).image()
			if img.ID != first.ID || img.MediaType != "image/jpeg" {
				t.Errorf("%s: got %s %s, want %s", mediaType, img.ID, img.MediaType, first.ID)
			}
		}
	})
	t.Run("the reply", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		picture := pngOf("reply", 400, 300)
		r := c.upload(picture, "?title=A+title&description=What+it%0Ashows&filename=%D0%B7%D0%B0%D0%BA%D0%B0%D1%82.png&visibility=public").want(201)
		img := r.image()
		if img.Width != 400 || img.Height != 300 || img.Size != int64(len(picture)) || img.MediaType != "image/png" ||
			img.Title != "A title" || img.Description != "What it\nshows" || img.Filename != "закат.png" || img.Visibility != "public" ||
			img.AccountName != c.name {
			t.Errorf("got %+v", img)
		}
		if img.URL != publicURL+"/i/"+img.ID+".png" || img.PageURL != publicURL+"/p/"+img.ID || !regexp.MustCompile(`^`+publicURL+`/i/`+img.ID+`\.webp\?v=r2[0-9a-f]{8}&w=320$`).MatchString(img.ThumbnailURL) {
			t.Errorf("links: %s %s %s", img.URL, img.PageURL, img.ThumbnailURL)
		}
		if got := r.Header.Get("Location"); got != "/api/v1/images/"+img.ID {
			t.Errorf("Location %q", got)
		}
		if !strings.HasPrefix(string(r.body), `{"id":"`+img.ID+`","url":"`) {
			t.Errorf("id and url should come first for whoever reads it: %s", r.body)
		}
		got := c.get("/api/v1/images/" + img.ID).want(200)
		if !reflect.DeepEqual(got.image(), img) || got.Header.Get("ETag") != r.Header.Get("ETag") {
			t.Errorf("getImage says %s, the upload said %s", got.body, r.body)
		}
		if b := c.get(img.URL).want(200).body; !bytes.Equal(b, picture) {
			t.Error("the original did not come back to the byte")
		}
		if _, w, h := sizeOf(t, c.get(img.ThumbnailURL).want(200).body); w != 320 || h != 240 {
			t.Errorf("the thumbnail is %d by %d", w, h)
		}
	})
	t.Run("form", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		// The file before, between and after its fields; a field wins over the query.
		for i, fields := range [][]field{
			{{"file", "a.png", string(pngOf("form0", 9, 9))}, {"title", "", "one"}, {"visibility", "", "private"}},
			{{"title", "", "one"}, {"file", "a.png", string(pngOf("form1", 9, 9))}, {"visibility", "", "private"}},
			{{"title", "", "one"}, {"visibility", "", "private"}, {"file", "a.png", string(pngOf("form2", 9, 9))}},
		} {
			img := c.uploadForm("?title=two&description=three", fields...).want(201).image()
			if img.Title != "one" || img.Visibility != "private" || img.Description != "three" || img.Filename != "a.png" {
				t.Errorf("%d: got %+v", i, img)
			}
		}
		img := c.uploadForm("?filename=q.png", field{"file", "a.png", string(pngOf("form3", 9, 9))}).want(201).image()
		if img.Filename != "q.png" {
			t.Errorf("the query's name should win over the part's: %q", img.Filename)
		}
		img = c.uploadForm("?filename=q.png", field{"file", "a.png", string(pngOf("form4", 9, 9))}, field{"filename", "", "f.png"}).want(201).image()
		if img.Filename != "f.png" {
			t.Errorf("the field's name should win over the query's: %q", img.Filename)
		}
	})
	t.Run("file names are cleaned", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		for sent, want := range map[string]string{
			`..\..\boot.ini`: "boot.ini", "/etc/passwd": "passwd", "закат.jpg": "закат.jpg",
			"\xff\xfe.png": ".png", "two\twords.png": "twowords.png",
		} {
			img := c.uploadForm("", field{"file", sent, string(pngOf("name "+sent, 9, 9))}).want(201).image()
			if img.Filename != want {
				t.Errorf("%q became %q, want %q", sent, img.Filename, want)
			}
		}
		if img := c.stored(pngOf("nameless", 9, 9), ""); img.Filename != img.ID+".png" {
			t.Errorf("a nameless file is called %q", img.Filename)
		}
	})
	t.Run("txt", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		picture := pngOf("txt", 20, 20)
		r := c.upload(picture, "?format=txt").want(201)
		if r.Header.Get("Content-Type") != "text/plain" && !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain;") {
			t.Errorf("Content-Type %q", r.Header.Get("Content-Type"))
		}
		if again := c.upload(picture, "?format=txt").want(200); string(again.body) != string(r.body) || !strings.HasPrefix(string(r.body), publicURL+"/i/") || !strings.HasSuffix(string(r.body), ".png") {
			t.Errorf("first %q, again %q", r.body, again.body)
		}
	})
	t.Run("the same bytes again", func(t *testing.T) {
		t.Parallel()
		c, picture := in.person(t), pngOf("again", 20, 20)
		first := c.stored(picture, "?title=first")
		again := c.upload(picture, "?title=second").want(200)
		if img := again.image(); !reflect.DeepEqual(img, first) {
			t.Errorf("got %+v, want the first picture", img)
		}
		if again.Header.Get("Location") != "" {
			t.Error("nothing was created, so there is no Location")
		}
		another := c.upload(picture, "?allow_duplicate=true&title=second").want(201).image()
		if another.ID == first.ID || another.Title != "second" {
			t.Errorf("got %+v", another)
		}
		if another = c.uploadForm("", field{"file", "x", string(picture)}, field{"allow_duplicate", "", "true"}).want(201).image(); another.ID == first.ID {
			t.Error("the form's allow_duplicate was not heard")
		}
		// Somebody else who has them already is never told of.
		if other := anna.as(t).upload(picture, "").want(201).image(); other.ID == first.ID {
			t.Error("another account got the same picture")
		}
		var usage api.Usage
		c.get("/api/v1/account/usage").want(200).into(&usage)
		if usage.Images != 3 || usage.Bytes != 3*int64(len(picture)) {
			t.Errorf("usage %+v", usage)
		}
	})
	t.Run("metadata", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		upright := jpegOf("metadata", 60, 40)
		turned := withExif(upright, 6)
		stripped := c.stored(turned, "")
		if stripped.Width != 40 || stripped.Height != 60 {
			t.Errorf("after orientation it is %d by %d, want 40 by 60", stripped.Width, stripped.Height)
		}
		b := c.get(stripped.URL).want(200).body
		if bytes.Contains(b, []byte("GPSSECRET")) || int64(len(b)) != stripped.Size {
			t.Error("the place is still in the file")
		}
		if !bytes.Contains(b, []byte("Exif")) {
			t.Error("the orientation went with the rest")
		}
		// The same file again is the same picture, although it differs from what is kept.
		if again := c.upload(turned, "").want(200).image(); again.ID != stripped.ID {
			t.Error("the file with its metadata is not recognised")
		}
		for _, kept := range []api.Image{
			c.stored(turned, "?keep_metadata=true"),
			c.uploadForm("?allow_duplicate=true", field{"file", "x", string(turned)}, field{"keep_metadata", "", "true"}).want(201).image(),
		} {
			if b := c.get(kept.URL).want(200).body; !bytes.Equal(b, turned) {
				t.Error("with keep_metadata the file should come back to the byte")
			}
		}
		c.do("PATCH", "/api/v1/account", object{"keep_metadata": true}).want(200)
		other := withExif(jpegOf("metadata 2", 60, 40), 1)
		if b := c.get(c.stored(other, "").URL).want(200).body; !bytes.Equal(b, other) {
			t.Error("the account's choice was not heard")
		}
		if b := c.get(c.stored(other, "?keep_metadata=false").URL).want(200).body; bytes.Contains(b, []byte("GPSSECRET")) {
			t.Error("the upload's choice should win over the account's")
		}
	})
	t.Run("default visibility", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		if img := c.stored(pngOf("v1", 9, 9), ""); img.Visibility != "unlisted" {
			t.Errorf("visibility %s", img.Visibility)
		}
		c.do("PATCH", "/api/v1/account", object{"default_visibility": "private"}).want(200)
		if img := c.stored(pngOf("v2", 9, 9), ""); img.Visibility != "private" {
			t.Errorf("visibility %s", img.Visibility)
		}
	})
	t.Run("empty text", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		if img := c.stored(pngOf("empty text", 9, 9), "?title=&description="); img.Title != "" || img.Description != "" {
			t.Errorf("got %+v", img)
		}
		c.uploadForm("", field{"title", "", ""}, field{"file", "x", string(pngOf("empty text 2", 9, 9))}).want(201)
	})
	t.Run("by a program", func(t *testing.T) {
		t.Parallel()
		p := anna.as(t).program("images:write")
		p.stored(pngOf("program", 9, 9), "")
		// A browser's rule against other sites is not for programs.
		p.upload(pngOf("program 2", 9, 9), "", "Sec-Fetch-Site: cross-site").want(201)
	})
	t.Run("expect 100-continue", func(t *testing.T) {
		t.Parallel()
		anna.as(t).upload(pngOf("expect", 9, 9), "", "Expect: 100-continue").want(201)
	})
	t.Run("content digest", func(t *testing.T) { t.Parallel(); testContentDigest(t, in) })
}

// Quota: what does not fit is refused, and leaves nothing.
func TestQuota(t *testing.T) {
	t.Parallel()
	in := newInstance(t, "QUOTA_BYTES=2000")
	c := in.registered(t)
	small := pngOf("quota", 10, 10)
	c.stored(small, "")
	c.upload(jpegOf("too much", 200, 200), "").problem(http.StatusForbidden, "quota_exceeded")
	var usage api.Usage
	c.get("/api/v1/account/usage").want(200).into(&usage)
	if q, err := usage.QuotaBytes.Get(); err != nil || q != 2000 || usage.Images != 1 || usage.Bytes != int64(len(small)) {
		t.Errorf("usage %+v", usage)
	}
	in.wantBlobs(t, 1)
}
