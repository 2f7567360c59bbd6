package httpapi_test

import (
	"bytes"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/imaging/hostile"
)

// TestHostileUploads sends the server everything that it has to survive, and looks at what it makes of what it takes.
func TestHostileUploads(t *testing.T) {
	t.Parallel()
	in := newInstance(t, "MAX_PIXELS=100000000", "MAX_UPLOAD_BYTES=524288", "DECODERS=2")
	anna := in.person(t)
	files := make(chan hostile.File)
	var outcomes [600]atomic.Int64
	var senders sync.WaitGroup
	for range 6 {
		senders.Go(func() {
			c := anna.as(t)
			for f := range files {
				status := sendHostile(t, c, f)
				outcomes[status].Add(1)
			}
		})
	}
	for f := range hostile.Corpus() {
		files <- f
	}
	close(files)
	senders.Wait()
	in.stranger(t).get("/healthz").want(200)
	if outcomes[201].Load() < 300 || outcomes[415].Load() < 100 || outcomes[422].Load() < 1000 {
		t.Errorf("%d stored, %d refused as no pictures, %d as broken", outcomes[201].Load(), outcomes[415].Load(), outcomes[422].Load())
	}
}

func sendHostile(t *testing.T, c *client, f hostile.File) int {
	t.Helper()
	start := time.Now()
	r := c.upload(f.Data, "?filename="+f.FileName())
	for r.StatusCode == http.StatusServiceUnavailable { // the others have a decoder busy
		time.Sleep(100 * time.Millisecond)
		r = c.upload(f.Data, "?filename="+f.FileName())
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("%s took %v", f.Name, took)
	}
	outcome := map[int]hostile.Want{200: hostile.Accepted, 201: hostile.Accepted, 415: hostile.Refused415, 422: hostile.Refused422}[r.StatusCode]
	if !f.Want.Has(outcome) {
		t.Errorf("%s: %d %s", f.Name, r.StatusCode, r.body)
	}
	if outcome != hostile.Accepted {
		return r.StatusCode
	}
	img := r.image()
	for _, link := range []string{img.URL, img.ThumbnailURL, "/i/" + img.ID + ".gif?w=64"} {
		sent := c.get(link)
		if sent.StatusCode != http.StatusOK && sent.StatusCode != http.StatusUnprocessableEntity && sent.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s, %s: %d %s", f.Name, link, sent.StatusCode, sent.body)
		}
		if sent.StatusCode != http.StatusOK {
			continue
		}
		if got := sent.Header.Get("Content-Type"); !strings.HasPrefix(got, "image/") || strings.Contains(got, "svg") {
			t.Errorf("%s is sent as %s", f.Name, got)
		}
		if sent.Header.Get("X-Content-Type-Options") != "nosniff" || sent.Header.Get("Content-Security-Policy") != "default-src 'none'; sandbox" {
			t.Errorf("%s is sent with %v", f.Name, sent.Header)
		}
		if sent.Header.Get("ETag") != c.get(img.URL).Header.Get("ETag") && bytes.Contains(sent.body, []byte(hostile.Script)) {
			t.Errorf("%s: what was planted is in %s", f.Name, link)
		}
	}
	return r.StatusCode
}
