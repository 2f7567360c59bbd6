package httpapi_test

import (
	"encoding/xml"
	"fmt"
	"net/url"
	"strings"
	"testing"

	api "github.com/kadr-app/kadr/gen/client"
)

func embedPath(link string, more ...string) string {
	return "/oembed?" + strings.Join(append([]string{"url=" + url.QueryEscape(link)}, more...), "&")
}

func TestOEmbed(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	anna, stranger := in.person(t), in.stranger(t)
	const title = `Boats & "sun" <3 закат`
	img := anna.stored(jpegOf("embed", 900, 600), "?title="+url.QueryEscape(title))
	embedOf := func(path string) (e api.OEmbed) {
		t.Helper()
		stranger.get(path).want(200).into(&e)
		return e
	}

	whole := stranger.get(embedPath(img.PageURL)).want(200)
	if whole.Header.Get("Access-Control-Allow-Origin") != "*" || whole.Header.Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("headers: %v", whole.Header)
	}
	e := embedOf(embedPath(img.PageURL))
	if e.Type != "photo" || e.Version != "1.0" || e.Width != 900 || e.Height != 600 || e.Title != title || e.AuthorName != anna.name ||
		e.AuthorURL != publicURL+"/u/"+anna.name || e.ProviderName != "Kadr" || e.ProviderURL != publicURL+"/" || e.CacheAge != 300 ||
		e.ThumbnailWidth != 320 || e.ThumbnailHeight != 213 {
		t.Errorf("%+v", e)
	}
	if got := stranger.get(e.URL).want(200); got.Header.Get("Content-Length") != fmt.Sprint(img.Size) {
		t.Errorf("without a box it is not the original: %v", got.Header)
	}
	// Every link to it is as good.
	for _, link := range []string{
		img.URL, img.ThumbnailURL, publicURL + "/i/" + img.ID, img.PageURL + "?utm_source=x#y", strings.Replace(img.PageURL, "http://", "https://", 1),
		strings.Replace(img.PageURL, "pictures.test", "Pictures.TEST", 1), " " + img.PageURL,
	} {
		if got := embedOf(embedPath(link)); got != e {
			t.Errorf("%s: %+v", link, got)
		}
	}
	// In a box, from the ladder, never enlarged, and really as large as it says.
	for query, want := range map[string][3]int{ // the width of the file, and the size to show it in
		"maxwidth=700": {640, 640, 427}, "maxwidth=640": {640, 640, 427}, "maxheight=300": {320, 320, 213}, "maxwidth=5000": {900, 900, 600},
		"maxwidth=800&maxheight=320": {480, 480, 320}, "maxwidth=899": {800, 800, 533}, "maxwidth=64": {64, 64, 43}, "maxwidth=20": {64, 20, 13}, "maxheight=1": {64, 1, 1},
	} {
		e := embedOf(embedPath(img.PageURL, query))
		_, width, _ := sizeOf(t, stranger.get(e.URL).want(200).body)
		if got := [3]int{width, int(e.Width), int(e.Height)}; got != want {
			t.Errorf("%s: %v, not %v", query, got, want)
		}
		format, width, height := sizeOf(t, stranger.get(e.ThumbnailURL).want(200).body)
		if width > 320 || format != "jpeg" || width < int(e.ThumbnailWidth) || (want[1] >= 64 && want[2] >= 43 && (width != int(e.ThumbnailWidth) || height != int(e.ThumbnailHeight))) {
			t.Errorf("%s: the thumbnail is a %s of %d by %d, said to be %d by %d", query, format, width, height, e.ThumbnailWidth, e.ThumbnailHeight)
		}
	}

	// The same as XML.
	r := stranger.get(embedPath(img.PageURL, "format=xml", "maxwidth=640")).want(200)
	var x struct {
		XMLName      xml.Name `xml:"oembed"`
		Type         string   `xml:"type"`
		Version      string   `xml:"version"`
		URL          string   `xml:"url"`
		Width        int      `xml:"width"`
		Title        string   `xml:"title"`
		AuthorName   string   `xml:"author_name"`
		ThumbnailURL string   `xml:"thumbnail_url"`
		CacheAge     int      `xml:"cache_age"`
	}
	if err := xml.Unmarshal(r.body, &x); err != nil || r.Header.Get("Content-Type") != "text/xml" || !strings.HasPrefix(string(r.body), `<?xml version="1.0" encoding="utf-8"`) {
		t.Fatalf("%v %v\n%s", err, r.Header, r.body)
	}
	if e := embedOf(embedPath(img.PageURL, "maxwidth=640", "format=json")); x.Type != "photo" || x.Version != "1.0" || x.URL != e.URL || x.Width != 640 || x.Title != title ||
		x.AuthorName != anna.name || x.ThumbnailURL != e.ThumbnailURL || x.CacheAge != 300 {
		t.Errorf("%+v", x)
	}

	// What moves goes on moving, and its thumbnail is a still.
	moving := embedOf(embedPath(anna.stored(gifOf("embed moving", 400, 200, 3), "").PageURL, "maxwidth=350"))
	if format, width, _ := sizeOf(t, stranger.get(moving.URL).want(200).body); format != "gif" || width != 320 {
		t.Errorf("a %s of %d", format, width)
	}
	if format, _, _ := sizeOf(t, stranger.get(moving.ThumbnailURL).want(200).body); format == "gif" {
		t.Error("the thumbnail moves")
	}
	webp := embedOf(embedPath(anna.stored(animatedWebP(t), "").PageURL))
	if stranger.get(webp.URL).want(200).Header.Get("Content-Type") != "image/webp" {
		t.Errorf("%+v", webp)
	}
	// A name instead of a title; consumers' own parameters are ignored.
	if e := embedOf(embedPath(anna.stored(pngOf("embed name", 30, 20), "?filename=boat.png").URL, "dnt=1", "omit_script=true", "omit_script=1", "x=")); e.Title != "boat.png" {
		t.Errorf("%+v", e)
	}
}

func TestOEmbedRefuses(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	anna, stranger := in.person(t), in.stranger(t)
	img := anna.stored(pngOf("no embed", 30, 20), "?visibility=private")
	for _, c := range []*client{anna, stranger, anna.program("images:read")} { // those who would see it are others
		for _, link := range []string{img.PageURL, img.URL} {
			r := c.get(embedPath(link))
			r.problem(404, "image_not_found")
			if r.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("a page cannot read why: %v", r.Header)
			}
		}
	}
	anna.do("PATCH", "/api/v1/images/"+img.ID, object{"visibility": "unlisted"}).want(200)
	stranger.get(embedPath(img.PageURL)).want(200)
	anna.do("DELETE", "/api/v1/images/"+img.ID, nil).want(204)
	stranger.get(embedPath(img.PageURL)).problem(410, "image_gone")
	stranger.get(embedPath(publicURL+"/p/aaaaaaaaaaaaa")).problem(404, "image_not_found")
	for _, link := range []string{
		"https://elsewhere.example/p/" + img.ID, publicURL + "/", publicURL + "/u/anna", publicURL + "/p/x", publicURL + "/api/v1/images/" + img.ID, "/p/" + img.ID,
		publicURL + ":81/p/" + img.ID, "javascript:alert(1)", "x", "http://[", publicURL + "/p/" + img.ID + "/x", "ftp://pictures.test/p/" + img.ID, "http://a@elsewhere.example/p/" + img.ID,
	} {
		stranger.get(embedPath(link)).problem(404, "link_not_found")
	}
	stranger.get("/oembed").fault("?url", "required")
	stranger.get("/oembed?url=").problem(400, "")
	stranger.get(embedPath(img.PageURL, "maxwidth=0")).fault("?maxwidth", "minimum")
	stranger.get(embedPath(img.PageURL, "maxheight=x")).fault("?maxheight", "type")
	stranger.get(embedPath(img.PageURL, "maxwidth=1", "maxwidth=2")).fault("?maxwidth", "repeated_parameter")
	for _, format := range []string{"yaml", "JSON", "text/xml"} {
		stranger.get(embedPath(img.PageURL, "format="+url.QueryEscape(format))).problem(501, "format_not_implemented")
	}
}
