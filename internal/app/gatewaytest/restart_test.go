package gatewaytest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kadr-app/kadr/static"
)

// settle is how long whoever replaces servers waits after one is ready, before the next has to go: longer than the gateway tries
// to connect (proxy_connect_timeout), so that nobody who was turned away by the one meets the other just as it goes.
const settle = 2500 * time.Millisecond

// TestRollingRestart replaces both servers, one after the other, twice, while people upload, look and list. Not one request
// fails, and what was acknowledged is there.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, "KADR_UNLIMITED=127.0.0.0/8")
	anna := r.register(t, "anna")
	first := into[picture](t, anna.must(t, 201, "POST", "/api/v1/images", bytes.NewReader(photo(t, 1000, 0))))

	var seed atomic.Uint64
	var kept sync.Map
	stop := make(chan struct{})
	var wg sync.WaitGroup
	counts := [4]atomic.Int64{}
	for kind, request := range []func() (*reply, error){
		func() (*reply, error) { return anna.ask("GET", first.URL, nil) },
		func() (*reply, error) { return anna.ask("GET", "/api/v1/images?limit=5", nil) },
		func() (*reply, error) { return anna.ask("GET", "/", nil) },
		func() (*reply, error) {
			file := photo(t, 2000+seed.Add(1), 200<<10)
			res, err := anna.ask("POST", "/api/v1/images?keep_metadata=true", slowly(file))
			if err == nil && res.StatusCode == http.StatusCreated {
				var p picture
				err = json.Unmarshal(res.body, &p)
				kept.Store(p.URL, file)
			}
			return res, err
		},
	} {
		for range 2 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					res, err := request()
					counts[kind].Add(1)
					if err != nil || res.StatusCode/100 != 2 {
						t.Errorf("a request of kind %d failed: %s, %v", kind, text(res), err)
						return
					}
					time.Sleep(2 * time.Millisecond)
				}
			})
		}
	}
	for range 2 {
		for _, s := range r.servers {
			s.stop(t)
			s.start(t)
			time.Sleep(settle)
		}
	}
	close(stop)
	wg.Wait()
	for kind := range counts {
		if n := counts[kind].Load(); n < 20 {
			t.Errorf("only %d requests of kind %d", n, kind)
		}
	}
	t.Logf("requests: %d pictures, %d lists, %d pages, %d uploads", counts[0].Load(), counts[1].Load(), counts[2].Load(), counts[3].Load())
	kept.Range(func(link, file any) bool {
		if got := anna.must(t, 200, "GET", link.(string), nil); !bytes.Equal(got.body, file.([]byte)) {
			t.Errorf("%s is not what was acknowledged", link)
		}
		return true
	})
}

func text(r *reply) string {
	if r == nil {
		return "no reply"
	}
	return fmt.Sprintf("%d %s", r.StatusCode, r.body)
}

// slowly is a body that takes a while.
func slowly(file []byte) *slowReader { return &slowReader{rest: file} }

type slowReader struct{ rest []byte }

func (s *slowReader) Read(p []byte) (int, error) {
	time.Sleep(5 * time.Millisecond)
	n := copy(p, s.rest[:min(len(s.rest), 16<<10)])
	s.rest = s.rest[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// TestServerAway takes the only server away and brings it back: pages go on, programs are told when to come again.
func TestServerAway(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	stranger := person{http: r.http}
	page := stranger.must(t, 200, "GET", "/", nil)
	shell, err := static.Files.ReadFile("index.html")
	if err != nil {
		t.Fatal(err)
	}
	r.servers[0].stop(t)

	for _, path := range []string{"/css/base.css", "/js/app.js", "/robots.txt"} {
		stranger.must(t, 200, "GET", path, nil)
	}
	for _, path := range []string{"/", "/pictures", "/settings", "/sign-in", "/register", "/p/aaaaaaaaaaaaa", "/u/anna"} {
		here := stranger.must(t, 503, "GET", path, nil, `If-None-Match: *`)
		if !bytes.Equal(here.body, shell) || here.Header.Get("Retry-After") != "1" || here.Header.Get("Cache-Control") != "no-store" || here.Header.Get("ETag") != "" {
			t.Errorf("%s from disk: %v %.300s", path, here.Header, here.body)
		}
		for _, name := range differences(page.Header, here.Header, true) {
			// The shell from disk knows nobody, so it is the same with any cookie.
			if !slices.Contains([]string{"Cache-Control", "Retry-After", "Vary"}, name) {
				t.Errorf("%s from disk: %s is %q, not %q", path, name, here.Header[name], page.Header[name])
			}
		}
	}
	for _, c := range []struct{ method, path string }{
		{"GET", "/api/v1/feed"},
		{"POST", "/api/v1/sessions"},
		{"POST", "/api/v1/images"},
		{"DELETE", "/api/v1/images/aaaaaaaaaaaaa"},
		{"GET", "/i/aaaaaaaaaaaaa.jpg"},
		{"GET", "/readyz"},
		{"POST", "/"},
		{"GET", "/js/none.js"},
	} {
		away := stranger.must(t, 503, c.method, c.path, strings.NewReader("{}"))
		var problem struct {
			Type, Title, Detail string
			Status              int
			RequestID           string `json:"request_id"`
		}
		if err := json.Unmarshal(away.body, &problem); err != nil {
			t.Errorf("%s %s: %s", c.method, c.path, away.body)
		}
		if problem.Status != 503 || problem.Type != "/problems/unavailable" || problem.RequestID == "" || problem.RequestID != away.Header.Get("X-Request-Id") ||
			away.Header.Get("Retry-After") != "1" || away.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %+v %v", c.method, c.path, problem, away.Header)
		}
	}
	if away := stranger.must(t, 503, "GET", "/docs", nil, "Accept: text/html"); !strings.HasPrefix(string(away.body), "<!doctype html>") {
		t.Errorf("a browser gets %s", away.body)
	}
	r.servers[0].start(t)
	eventually(t, "the gateway sees it again", func() bool {
		res, err := stranger.ask("GET", "/api/v1/feed", nil)
		return err == nil && res.StatusCode == http.StatusOK
	})
}
