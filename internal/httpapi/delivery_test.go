package httpapi_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/kadr-app/kadr/internal/nginxtest"
)

// TestSameFromServerAndGateway asks one server that sends pictures itself and one that lets nginx do it for the same things,
// the first time and again, when both remember: status, headers and bytes have to be the same.
func TestSameFromServerAndGateway(t *testing.T) {
	t.Parallel()
	direct := newInstance(t)
	accel := direct.replica(t, "DELIVERY=accel")
	gateway := nginxtest.Run(t, nginxtest.Config{Upstream: accel.app.Addr().String(), Storage: direct.dir})
	anna := direct.person(t)
	behind := accel.behind(gateway.Address)
	picture := jpegOf("both ways", 700, 500)
	img := anna.stored(picture, "?filename=%D0%97%D0%B0%D0%BA%D0%B0%D1%82.jpg&visibility=public")
	private := anna.stored(pngOf("both ways, private", 400, 300), "?visibility=private")
	gone := anna.stored(pngOf("both ways, gone", 40, 30), "")
	anna.do("DELETE", "/api/v1/images/"+gone.ID, nil).want(204)
	tag := anna.get(img.URL).want(200).Header.Get("ETag")
	variant := "/i/" + img.ID + ".webp?w=320"
	variantTag := anna.get(variant).want(200).Header.Get("ETag")
	modified := anna.get(img.URL).Header.Get("Last-Modified")
	signed := anna.signed(img.ID, object{"w": 99, "h": 99, "fit": "cover"})[0].URL
	const lang = "Accept: image/avif,image/webp,image/*,*/*;q=0.8"

	requests := map[string][]string{"original": {img.URL}, "variant": {variant}}
	for name, headers := range map[string][]string{
		"range": {"Range: bytes=10-19"}, "first": {"Range: bytes=0-0"}, "tail": {"Range: bytes=-7"}, "open range": {"Range: bytes=100-"},
		"whole range": {"Range: bytes=0-"}, "several": {"Range: bytes=0-1,5-6"}, "beyond": {"Range: bytes=99999999-"}, "past the end": {"Range: bytes=5-99999999"},
		"suffix past the beginning": {"Range: bytes=-99999999"}, "no bytes": {"Range: bytes=-0"}, "other unit": {"Range: rows=1-2"}, "backwards": {"Range: bytes=9-3"},
		"nonsense": {"Range: bytes=x"}, "if that": {"Range: bytes=1-2", `If-Range: "x"`}, "if then": {"Range: bytes=1-2", "If-Range: " + modified},
		"if ever": {"Range: bytes=1-2", "If-Range: Mon, 02 Jan 2006 15:04:05 GMT"}, "unknown": {`If-None-Match: "x"`}, "any": {"If-None-Match: *"},
		"only that": {`If-Match: "x"`}, "only any": {"If-Match: *"}, "since": {"If-Modified-Since: " + modified}, "since ever": {"If-Modified-Since: Mon, 02 Jan 2006 15:04:05 GMT"},
		"not since": {"If-Unmodified-Since: " + modified}, "not since ever": {"If-Unmodified-Since: Mon, 02 Jan 2006 15:04:05 GMT"},
		"since, but another": {`If-None-Match: "x"`, "If-Modified-Since: " + modified}, "forged": {"X-Kadr-Direct: 1", "X-Accel-Redirect: /_storage/blobs/"},
	} {
		requests["original, "+name] = append([]string{img.URL}, headers...)
		requests["variant, "+name] = append([]string{variant}, headers...)
	}
	maps.Copy(requests, map[string][]string{
		"original, this": {img.URL, "If-Range: " + tag, "Range: bytes=1-2"}, "original, known": {img.URL, "If-None-Match: " + tag},
		"original, weakly": {img.URL, `If-None-Match: "a", W/` + tag}, "original, only this": {img.URL, "If-Match: " + tag},
		"variant, this": {variant, "If-Range: " + variantTag, "Range: bytes=1-2"}, "variant, known": {variant, "If-None-Match: " + variantTag},
		"version": {img.ThumbnailURL}, "download": {img.URL + "?download=true"}, "signed": {signed}, "unsigned": {img.URL + "?w=99"}, "forged": {signed + "x"},
		"negotiated": {"/i/" + img.ID, lang}, "negotiated, original": {"/i/" + img.ID}, "negotiated, sized": {"/i/" + img.ID + "?w=160", "Accept: image/webp"},
		"private": {private.URL}, "private variant": {private.ThumbnailURL}, "gone": {gone.URL}, "gone variant": {gone.ThumbnailURL}, "never": {"/i/aaaaaaaaaaaaa.jpg"},
		"traversal": {"/i/a%2f..%2f..%2fi%2fb"}, "dots": {"/i/../_storage/blobs/x"}, "no id": {"/i/x.jpg"}, "no such format": {"/i/" + img.ID + ".heic"},
		"bad parameter": {img.URL + "?w=x"}, "storage": {"/_storage/blobs/"}, "temporary files": {"/_storage/tmp/"}, "inside": {"/_storage/blobs/../tmp/"},
	})
	haveTheSame(t, direct, behind, anna, requests)
}

// TestSameForPagesElsewhere: what pages of other origins may do is the same too, whoever sends the picture.
func TestSameForPagesElsewhere(t *testing.T) {
	t.Parallel()
	direct := newInstance(t, "CORS_ORIGINS="+listed)
	accel := direct.replica(t, "DELIVERY=accel", "CORS_ORIGINS="+listed)
	gateway := nginxtest.Run(t, nginxtest.Config{Upstream: accel.app.Addr().String(), Storage: direct.dir})
	anna := direct.person(t)
	public := anna.stored(pngOf("elsewhere, public", 400, 300), "?visibility=public")
	private := anna.stored(pngOf("elsewhere, private", 400, 300), "?visibility=private")
	requests := map[string][]string{}
	for name, link := range map[string]string{
		"public": public.URL, "public variant": public.ThumbnailURL, "private": private.URL, "private variant": private.ThumbnailURL,
	} {
		requests[name+", listed"] = []string{link, "Origin: " + listed}
		requests[name+", unlisted"] = []string{link, "Origin: " + unlisted}
		requests[name+", range"] = []string{link, "Origin: " + listed, "Range: bytes=0-9"}
		requests[name+", known"] = []string{link, "Origin: " + listed, "If-None-Match: *"}
	}
	haveTheSame(t, direct, accel.behind(gateway.Address), anna, requests)
}

// haveTheSame asks two instances of one database for the same: paths and headers, by method, as anna and as a stranger, twice.
func haveTheSame(t *testing.T, direct, behind *instance, anna *client, requests map[string][]string) {
	t.Helper()
	for _, method := range []string{"GET", "HEAD"} {
		for _, who := range []string{"owner", "stranger"} {
			for _, name := range slices.Sorted(maps.Keys(requests)) {
				path, headers := requests[name][0], requests[name][1:]
				for round := range 2 {
					asked := func(in *instance) *reply {
						c := in.stranger(t)
						if who == "owner" {
							c.http.Jar, c.name = anna.http.Jar, anna.name
						}
						return c.do(method, path, nil, headers...)
					}
					a, b := asked(direct), asked(behind)
					if text := difference(a, b); text != "" {
						t.Errorf("%s, %s by %s, round %d: %s", name, method, who, round, text)
					}
				}
			}
		}
	}
}

// difference says in what two replies are not the same.
func difference(a, b *reply) string {
	var text strings.Builder
	if a.StatusCode != b.StatusCode {
		fmt.Fprintf(&text, "%d and %d; ", a.StatusCode, b.StatusCode)
	}
	boundary := func(r *reply) string {
		_, boundary, _ := strings.Cut(r.Header.Get("Content-Type"), "boundary=")
		return boundary
	}
	ofProblem := a.Header.Get("Content-Type") == "application/problem+json"
	names := map[string]bool{}
	for _, r := range []*reply{a, b} {
		for name := range r.Header {
			names[name] = true
		}
	}
	for _, name := range []string{"Date", "Server", "Connection", "X-Request-Id"} {
		delete(names, name)
	}
	several := boundary(a) != "" && boundary(b) != ""
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if several && (name == "Content-Type" || name == "Content-Length") {
			continue // the boundary is anybody's own
		}
		if !slices.Equal(a.Header[name], b.Header[name]) {
			fmt.Fprintf(&text, "%s is %q and %q; ", name, a.Header[name], b.Header[name])
		}
	}
	switch {
	case ofProblem: // each has a request's id of its own
		if len(a.body) != len(b.body) {
			fmt.Fprintf(&text, "%s and %s", a.body, b.body)
		}
	case several:
	case !bytes.Equal(a.body, b.body):
		fmt.Fprintf(&text, "bodies of %d and %d bytes", len(a.body), len(b.body))
	}
	return text.String()
}

// TestChangesReachEveryReplica: what a replica remembers of a link does not outlive a change, made there or elsewhere.
func TestChangesReachEveryReplica(t *testing.T) {
	t.Parallel()
	one := newInstance(t)
	two := one.replica(t)
	anna := one.person(t)
	here, there := one.stranger(t), two.stranger(t)
	img := anna.stored(jpegOf("everywhere", 500, 400), "?visibility=public")
	links := []string{img.URL, img.ThumbnailURL, "/i/" + img.ID, "/i/" + img.ID + ".png?w=64"}
	all := func(status int) {
		t.Helper()
		for _, link := range links {
			for range 3 { // the first fills what the others may be answered from
				here.get(link).want(status)
			}
			waitFor(t, fmt.Sprintf("%s to answer %d", link, status), func() bool { return there.get(link).StatusCode == status })
			there.get(link).want(status)
		}
	}
	all(200)
	anna.do("PATCH", "/api/v1/images/"+img.ID, object{"visibility": "private"}).want(200)
	all(404)
	anna.do("PATCH", "/api/v1/images/"+img.ID, object{"visibility": "unlisted", "filename": "new name.jpg"}).want(200)
	all(200)
	if got := here.get(img.URL).Header.Get("Content-Disposition"); got != `inline; filename="new name.jpg"` {
		t.Error(got)
	}
	anna.do("POST", "/api/v1/images/bulk", object{"action": "delete", "ids": []string{img.ID}}).want(200)
	all(410)

	// Deleting the account deletes its pictures.
	bert := one.registered(t)
	img = bert.stored(jpegOf("everywhere, bert's", 500, 400), "?visibility=public")
	links = []string{img.URL, img.ThumbnailURL}
	all(200)
	bert.do("DELETE", "/api/v1/account?confirm="+bert.name, nil).want(204)
	for _, link := range links {
		waitFor(t, "the links of a deleted account to end", func() bool {
			return here.get(link).StatusCode == http.StatusGone && there.get(link).StatusCode == http.StatusGone
		})
	}
}

// TestChangesAreSeenAtOnce changes a picture while many look at it: nobody sees the state before after the change was
// acknowledged.
func TestChangesAreSeenAtOnce(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	anna := in.person(t)
	img := anna.stored(jpegOf("flicker", 300, 200), "")
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		c := in.stranger(t)
		for {
			select {
			case <-stop:
				return
			default:
				c.get(img.URL)
			}
		}
	}()
	looker := in.stranger(t)
	for range 30 {
		anna.do("PATCH", "/api/v1/images/"+img.ID, object{"visibility": "private"}).want(200)
		looker.get(img.URL).want(404)
		anna.do("PATCH", "/api/v1/images/"+img.ID, object{"visibility": "public"}).want(200)
		looker.get(img.URL).want(200)
	}
	close(stop)
	<-done
}

func TestNegotiation(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	c := in.person(t)
	const browser = "Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
	is := func(path, accept, mediaType string) *reply {
		t.Helper()
		r := c.get(path, strings.Fields("Accept:")[0]+" "+accept).want(200)
		if got := r.Header.Get("Content-Type"); got != mediaType || r.Header.Get("Vary") != "Accept" {
			t.Errorf("%s for %q: %s, Vary %q", path, accept, got, r.Header.Get("Vary"))
		}
		return r
	}
	browserAccept := strings.TrimPrefix(browser, "Accept: ")

	img := c.stored(jpegOf("negotiated", 640, 480), "")
	path := "/i/" + img.ID
	for accept, mediaType := range map[string]string{
		"*/*": "image/jpeg", "image/png": "image/jpeg", "image/*": "image/jpeg", "image/webp;q=0, image/jpeg": "image/jpeg", "text/html": "image/jpeg",
		"image/webp": "image/webp", "IMAGE/WEBP;q=0.1, image/jpeg": "image/webp",
	} {
		is(path+"?w=160", accept, mediaType)
	}
	// The first visitor does not wait for AVIF, and a later one gets it where it is smaller.
	webp := is(path+"?w=320", browserAccept, "image/webp")
	var avif *reply
	waitFor(t, "AVIF", func() bool {
		avif = c.get(path+"?w=320", browser).want(200)
		return avif.Header.Get("Content-Type") == "image/avif"
	})
	if len(avif.body) > len(webp.body) {
		t.Errorf("AVIF has %d bytes and WebP %d", len(avif.body), len(webp.body))
	}
	is(path+"?w=320", "image/webp", "image/webp")
	// The original is at hand, so nobody waits for what is smaller.
	first := is(path, browserAccept, "image/jpeg")
	waitFor(t, "something smaller than the original", func() bool {
		return c.get(path, browser).want(200).Header.Get("Content-Type") != "image/jpeg"
	})
	if r := c.get(path, browser); len(r.body) >= len(first.body) {
		t.Errorf("%d bytes are not smaller than %d", len(r.body), len(first.body))
	}

	moving := c.stored(gifOf("negotiated and moving", 200, 100, 3), "")
	if r := is("/i/"+moving.ID+"?w=160", browserAccept, "image/webp"); !bytes.Contains(r.body, []byte("ANMF")) {
		t.Error("the animation stands still")
	}
	if _, err := http.ParseTime(first.Header.Get("Last-Modified")); err != nil {
		t.Error(err)
	}
	c.get(path+"?w=65", browser).problem(403, "signature_needed")
}
