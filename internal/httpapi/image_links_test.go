package httpapi_test

import (
	"bytes"
	"image"
	"net/http"
	"strings"
	"testing"
	"time"

	api "github.com/kadr-app/kadr/gen/client"
	"github.com/kadr-app/kadr/internal/postgres"
	"github.com/kadr-app/kadr/internal/variant"
)

// signed asks for links to a picture's variants.
func (c *client) signed(id string, shapes ...object) []api.ImageVariant {
	c.t.Helper()
	var list api.ImageVariantList
	c.do("POST", "/api/v1/images/"+id+"/variants", object{"variants": shapes}).want(200).into(&list)
	if len(list.Items) != len(shapes) {
		c.t.Fatalf("%d links for %d shapes", len(list.Items), len(shapes))
	}
	return list.Items
}

func TestSignedVariants(t *testing.T) {
	t.Parallel()
	in := newInstance(t, "PRESETS=avatar:w=64&h=64&fit=cover")
	anna, stranger := in.person(t), in.stranger(t)
	img := anna.stored(jpegOf("signed", 600, 400), "")

	shapes := []object{
		{"w": 321},
		{"format": "webp", "w": 300, "h": 300, "fit": "cover", "position": "attention"},
		{"format": "png", "crop": "10,20,30,40"},
		{"rotate": 90, "w": 100},
		{"w": 100, "h": 100, "fit": "contain", "background": "ff0000"},
		{"format": "gif", "w": 50, "h": 60, "fit": "fill"},
		{"w": 1200, "enlarge": true},
		{"w": 80, "dpr": 2, "flip": "horizontal"},
		{"w": 50, "blur": 2, "q": 30},
		{"format": "webp", "w": 320},
		{"preset": "avatar"},
		{},
	}
	for i, v := range stranger.signed(img.ID, shapes...) {
		r := stranger.get(v.URL).want(200)
		if r.Header.Get("Content-Type") != string(v.MediaType) || r.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%v: %v", shapes[i], r.Header)
		}
		if _, width, height := sizeOf(t, r.body); width != int(v.Width) || height != int(v.Height) {
			t.Errorf("%v: %d by %d, and the API says %d by %d", shapes[i], width, height, v.Width, v.Height)
		}
		needed := i < 9
		if query := mustURL(t, strings.TrimPrefix(v.URL, publicURL)).Query(); query.Has("sig") != needed || query.Get("v") == "" {
			t.Errorf("%v: %s", shapes[i], v.URL)
		}
	}
	contained, _, err := image.Decode(bytes.NewReader(stranger.get(stranger.signed(img.ID, shapes[4])[0].URL).want(200).body))
	if err != nil {
		t.Fatal(err)
	}
	if r, g, _, _ := contained.At(50, 5).RGBA(); r < 60000 || g > 5000 {
		t.Errorf("the background is %v", contained.At(50, 5))
	}

	link := mustURL(t, strings.TrimPrefix(stranger.signed(img.ID, shapes[0])[0].URL, publicURL))
	for name, value := range map[string]string{"w": "322", "sig": strings.Repeat("A", 43), "q": "1", "expires": "9999999999", "h": "3"} {
		query := link.Query()
		query.Set(name, value)
		stranger.get(link.Path+"?"+query.Encode()).problem(403, "invalid_signature")
	}
	query := link.Query()
	query.Del("sig")
	stranger.get(link.Path+"?"+query.Encode()).problem(403, "signature_needed")
	stranger.get(strings.Replace(link.Path, ".jpg", ".png", 1)+"?"+link.RawQuery).problem(403, "invalid_signature")
	// The version and the disposition are not signed.
	query = link.Query()
	query.Set("v", "old")
	query.Set("download", "true")
	r := stranger.get(link.Path + "?" + query.Encode()).want(200)
	if r.Header.Get("Cache-Control") != "public, max-age=300" || !strings.HasPrefix(r.Header.Get("Content-Disposition"), "attachment; ") {
		t.Errorf("%v", r.Header)
	}

	ask := func(shape object) *reply {
		return stranger.do("POST", "/api/v1/images/"+img.ID+"/variants", object{"variants": []object{{}, shape}})
	}
	ask(object{"fit": "cover", "w": 5}).fault("/variants/1/fit", "contradictory")
	ask(object{"page": 2}).fault("/variants/1/page", "out_of_range")
	ask(object{"crop": "600,0,1,1"}).fault("/variants/1/crop", "out_of_range")
	ask(object{"format": "png", "q": 50}).fault("/variants/1/q", "contradictory")
	ask(object{"preset": "hero"}).fault("/variants/1/preset", "unknown_preset")
	ask(object{"preset": "avatar", "w": 3}).fault("/variants/1/preset", "contradictory")
	ask(object{"w": 0}).problem(400, "invalid_request")
	ask(object{"format": "bmp"}).problem(400, "invalid_request")
	stranger.get("/i/"+img.ID+".jpg?preset=hero").fault("?preset", "unknown_preset")
	stranger.get("/i/"+img.ID+".jpg?preset=avatar&w=320").fault("?preset", "contradictory")
	stranger.get("/i/"+img.ID+".png?w=320&q=50").problem(403, "signature_needed")
	stranger.get("/i/"+img.ID+".jpg?dpr=2").fault("?dpr", "contradictory")
	if _, width, height := sizeOf(t, stranger.get("/i/"+img.ID+".png?preset=avatar&dpr=2").want(200).body); width != 128 || height != 128 {
		t.Errorf("the avatar is %d by %d", width, height)
	}

	private := anna.stored(jpegOf("signed and private", 600, 400), "?visibility=private")
	stranger.do("POST", "/api/v1/images/"+private.ID+"/variants", object{"variants": []object{{"w": 5}}}).problem(404, "image_not_found")
	shape := anna.signed(private.ID, object{"w": 111})[0].URL
	anna.get(shape).want(200)
	stranger.get(shape).problem(404, "image_not_found") // it permits the shape, not the look
}

func TestLinksForAWhile(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	anna, bert, stranger := in.person(t), in.person(t), in.stranger(t)
	img := anna.stored(jpegOf("lent", 600, 400), "?visibility=private")
	lend := func(body object) string {
		t.Helper()
		var link api.ImageLink
		anna.do("POST", "/api/v1/images/"+img.ID+"/links", body).want(200).into(&link)
		if left := time.Until(link.ExpiresAt); left <= 0 || left.Seconds() > float64(body["expires_in"].(int)) {
			t.Errorf("it expires in %v", left)
		}
		return link.URL
	}
	link := lend(object{"expires_in": 3600})
	r := stranger.get(link).want(200)
	if r.Header.Get("Cache-Control") != "private, no-cache" || r.Header.Get("Cross-Origin-Resource-Policy") != "cross-origin" ||
		r.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%v", r.Header)
	}
	if !bytes.Equal(r.body, anna.get(img.URL).want(200).body) {
		t.Error("the link does not lead to the original")
	}
	sized := lend(object{"expires_in": 60, "download": true, "variant": object{"format": "webp", "w": 100}})
	if _, width, _ := sizeOf(t, stranger.get(sized).want(200).body); width != 100 {
		t.Errorf("it is %d wide", width)
	}
	u := mustURL(t, strings.TrimPrefix(sized, publicURL))
	later := u.Query()
	later.Set("expires", "9999999999")
	stranger.get(u.Path+"?"+later.Encode()).problem(403, "invalid_signature")
	stranger.get("/i/"+img.ID+".webp?expires=9999999999").problem(403, "invalid_signature")
	stranger.get(img.URL).problem(404, "image_not_found")

	short := lend(object{"expires_in": 1})
	time.Sleep(1100 * time.Millisecond)
	stranger.get(short).problem(403, "link_expired")

	bert.do("POST", "/api/v1/images/"+img.ID+"/links", object{"expires_in": 60}).problem(404, "image_not_found")
	stranger.do("POST", "/api/v1/images/"+img.ID+"/links", object{"expires_in": 60}).problem(401, "")
	anna.do("POST", "/api/v1/images/"+img.ID+"/links", object{"expires_in": 0}).fault("/expires_in", "minimum")
	anna.do("POST", "/api/v1/images/"+img.ID+"/links", object{"expires_in": 60, "variant": object{"page": 9}}).fault("/variant/page", "out_of_range")
	public := bert.stored(jpegOf("bert's", 300, 200), "?visibility=public")
	anna.do("POST", "/api/v1/images/"+public.ID+"/links", object{"expires_in": 60}).problem(404, "image_not_found")

	// A rotation later the link is still good, and two later it is not.
	db, err := postgres.Open(t.Context(), in.db.URL, postgres.Options{MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	keys := variant.NewKeys(postgres.NewVariantStore(db))
	if err := keys.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	stranger.get(link).want(200)
	if err := keys.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the old key to be forgotten", func() bool { return stranger.get(link).StatusCode == http.StatusForbidden })

	// Only now is it sure that the server signs by the newest key: it learns of a rotation in its own time.
	fresh := lend(object{"expires_in": 3600})
	if err := keys.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	stranger.get(fresh).want(200)

	anna.do("DELETE", "/api/v1/images/"+img.ID, nil).want(204)
	stranger.get(fresh).problem(410, "image_gone")
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
