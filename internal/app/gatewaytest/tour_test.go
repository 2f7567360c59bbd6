package gatewaytest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestTour is the README's, through the gateway, and what only the whole can show: who sends what, and what is written down.
func TestTour(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	anna := r.register(t, "anna")
	program := person{http: r.http, key: anna.key}
	stranger := person{http: r.http}

	file := photo(t, 1, 0)
	body, contentType := form(t, file)
	img := into[picture](t, program.must(t, 201, "POST", "/api/v1/images", body, contentType))
	body, contentType = form(t, file)
	if link := strings.TrimSpace(string(program.must(t, 200, "POST", "/api/v1/images?format=txt", body, contentType).body)); link != img.URL {
		t.Errorf("the same bytes again are at %s, not %s", link, img.URL)
	}

	original := stranger.must(t, 200, "GET", img.URL, nil)
	if !bytes.Equal(original.body, file) {
		t.Error("the original is not what was uploaded")
	}
	for name, value := range map[string]string{
		"Content-Type": "image/jpeg", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox",
		"Cache-Control": "public, max-age=300", "Accept-Ranges": "bytes", "Content-Disposition": `inline; filename="photo.jpg"`,
		"Cross-Origin-Resource-Policy": "cross-origin", "Access-Control-Allow-Origin": "*", "Strict-Transport-Security": "",
	} {
		if got := strings.Join(original.Header.Values(name), " and "); got != value {
			t.Errorf("the original's %s is %q, not %q", name, got, value)
		}
	}
	small := strings.TrimSuffix(img.URL, ".jpg") + ".webp?w=64"
	if got := stranger.must(t, 200, "GET", small, nil); got.Header.Get("Content-Type") != "image/webp" {
		t.Errorf("the variant is %s", got.Header.Get("Content-Type"))
	}
	for header, want := range map[string][]byte{"0-9": file[:10], "100-199": file[100:200], "-7": file[len(file)-7:]} {
		if part := stranger.must(t, 206, "GET", img.URL, nil, "Range: bytes="+header); !bytes.Equal(part.body, want) {
			t.Errorf("Range %s brings %d bytes, not %d", header, len(part.body), len(want))
		}
	}
	stranger.must(t, 416, "GET", img.URL, nil, "Range: bytes=99999999-")
	stranger.must(t, 304, "GET", img.URL, nil, "If-None-Match: "+original.Header.Get("ETag"))

	signed := into[struct{ Items []struct{ URL string } }](t, stranger.must(t, 200, "POST", "/api/v1/images/"+img.ID+"/variants",
		map[string]any{"variants": []any{map[string]any{"format": "webp", "w": 30, "h": 30, "fit": "cover"}}})).Items[0].URL
	stranger.must(t, 200, "GET", signed, nil, "Referer: "+publicURL+"/p/x?sig=hidden-in-the-referrer")
	stranger.must(t, 403, "GET", strings.Replace(signed, "w=30", "w=31", 1), nil)
	program.must(t, 200, "POST", "/api/v1/images/"+img.ID+"/links", map[string]any{"expires_in": 3600})
	program.must(t, 200, "GET", "/api/v1/images?limit=5", nil)
	program.must(t, 204, "DELETE", "/api/v1/images/"+img.ID, nil)
	stranger.must(t, 410, "GET", img.URL, nil)
	stranger.must(t, 404, "GET", "/metrics", nil)

	r.checkLogs(t, anna, signed)
}

// checkLogs holds the gateway's log against the server's: each request is there once, under the same id and path; what is
// secret is in neither.
func (r *rig) checkLogs(t *testing.T, anna person, signed string) {
	t.Helper()
	type line struct {
		Msg       string  `json:"msg"`
		RequestID string  `json:"request_id"`
		Method    string  `json:"method"`
		Path      string  `json:"path"`
		Status    int     `json:"status"`
		Address   string  `json:"address"`
		SentBy    string  `json:"sent_by"`
		Duration  float64 `json:"-"`
	}
	read := func(text string) (lines []line) {
		t.Helper()
		for text := range strings.Lines(text) {
			var l line
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				t.Errorf("no JSON: %v: %s", err, text)
			}
			if l.Msg == "request" {
				lines = append(lines, l)
			}
		}
		return lines
	}
	var accessLog []byte
	var here []line
	eventually(t, "the gateway has written its log", func() bool {
		var err error
		if accessLog, err = os.ReadFile(r.gateway.AccessLog()); err != nil {
			t.Fatal(err)
		}
		here = read(string(accessLog))
		return len(here) >= 20
	})
	there := map[string]line{}
	for _, s := range r.servers {
		for _, l := range read(s.log.String()) {
			there[l.RequestID] = l
		}
	}
	sentBy := map[string]int{}
	for _, l := range here {
		sentBy[l.SentBy]++
		if l.SentBy == "gateway" {
			continue
		}
		other, ok := there[l.RequestID]
		if !ok || other.Path != l.Path || other.Method != l.Method || other.Address != l.Address {
			t.Errorf("the gateway has %+v, and the server %+v", l, other)
		}
	}
	if sentBy["storage"] < 5 || sentBy["server"] < 10 || sentBy["gateway"] != 1 {
		t.Errorf("replies were sent by %v", sentBy)
	}
	_, sig, _ := strings.Cut(signed, "sig=")
	sig, _, _ = strings.Cut(sig, "&")
	for name, secret := range map[string]string{
		"API key": anna.key, "session": anna.session, "password": password, "signature": sig, "referrer's query": "hidden-in",
	} {
		for where, text := range map[string]string{
			"access log": string(accessLog), "error log": r.nginx.String(), "server's log": r.servers[0].log.String(),
		} {
			if secret == "" || strings.Contains(text, secret) {
				t.Errorf("the %s is in the %s, or empty: %q", name, where, secret)
			}
		}
	}
}

// TestLargeUploads sends as much as is allowed, and more, through the gateway.
func TestLargeUploads(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	anna := r.register(t, "anna")
	const limit = 50 << 20

	before, err := os.Stat(r.gateway.BodyFolder())
	if err != nil {
		t.Fatal(err)
	}
	file := photo(t, 2, limit)
	if len(file) > limit || len(file) < limit-100 {
		t.Fatalf("the picture has %d bytes", len(file))
	}
	body, contentType := form(t, file)
	img := into[picture](t, anna.must(t, 201, "POST", "/api/v1/images?keep_metadata=true", body, contentType))
	if got := anna.must(t, 200, "GET", img.URL, nil); !bytes.Equal(got.body, file) {
		t.Errorf("%d bytes came back of %d", len(got.body), len(file))
	}
	after, err := os.Stat(r.gateway.BodyFolder())
	if err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("nginx has written to its folder for bodies (%v)", err)
	}

	// What is too large Kadr refuses by itself, and says what is allowed.
	for name, body := range map[string]io.Reader{
		"a little": bytes.NewReader(photo(t, 3, limit+1)), "much": bytes.NewReader(make([]byte, 2*limit)),
		"without saying so": io.MultiReader(bytes.NewReader(photo(t, 4, limit+1000))),
	} {
		refused := anna.must(t, 413, "POST", "/api/v1/images", body)
		if !bytes.Contains(refused.body, []byte("52428800")) && !bytes.Contains(refused.body, []byte("MiB")) {
			t.Errorf("%s too large: %s", name, refused.body)
		}
	}
	refused := anna.must(t, 413, "POST", "/api/v1/images", io.LimitReader(zeros{}, 200<<20), "Expect: 100-continue")
	t.Logf("without end: %s", refused.body)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, publicURL+"/api/v1/images", io.LimitReader(zeros{}, 200<<20))
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = 200 << 20
	req.Header.Set("Authorization", "Bearer "+anna.key)
	reply, err := r.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusRequestEntityTooLarge || !bytes.Contains(text, []byte("far larger")) {
		t.Errorf("what is far too large: %d %s %v", reply.StatusCode, text, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestHundredPictures is a member's: no limit is met, ten at a time, and neither by the visitor who then opens a page with all
// of them, again and again.
func TestHundredPictures(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	anna := r.register(t, "anna")
	const pictures, together = 100, 10
	links := make([]string, pictures)
	inParallel(t, together, pictures, func(i int) error {
		res, err := person{http: r.http, session: anna.session}.ask("POST", "/api/v1/images", bytes.NewReader(photo(t, uint64(100+i), 0)))
		if err != nil || res.StatusCode != http.StatusCreated {
			return fmt.Errorf("upload %d: %+v %w", i, res, err)
		}
		links[i] = into[picture](t, res).URL
		return nil
	})
	inParallel(t, together, 5*pictures, func(i int) error {
		res, err := person{http: r.http}.ask("GET", links[i%pictures], nil)
		if err != nil || res.StatusCode != http.StatusOK {
			return fmt.Errorf("look %d: %+v %w", i, res, err)
		}
		return nil
	})
}

// inParallel does n things, some at a time.
func inParallel(t *testing.T, together, n int, do func(i int) error) {
	t.Helper()
	var wg sync.WaitGroup
	work := make(chan int)
	for range together {
		wg.Go(func() {
			for i := range work {
				if err := do(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	wg.Wait()
}

// TestForgedAddress has no trusted proxy before the gateway: what a client says of its address counts for nothing.
func TestForgedAddress(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, "KADR_OUTER_PROXIES=")
	person{http: r.http}.must(t, 200, "GET", "/api/v1/feed", nil, "X-Forwarded-For: 203.0.113.77, 127.0.0.1", "Forwarded: for=203.0.113.77", "X-Real-Ip: 203.0.113.77")
	eventually(t, "the server has logged it", func() bool { return strings.Contains(r.servers[0].log.String(), `"/api/v1/feed"`) })
	time.Sleep(50 * time.Millisecond)
	log, err := os.ReadFile(r.gateway.AccessLog())
	if err != nil || strings.Contains(r.servers[0].log.String()+string(log), "203.0.113") {
		t.Errorf("somebody's word is believed: %v\n%s", err, log)
	}
}
