package nginxtest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/nginxtest"
)

// credential returns one that has the right form.
func credential(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	return fmt.Sprintf("%c%c%c", letters[n%32], letters[n/32%32], letters[n/1024%32]) + strings.Repeat("a", 23)
}

// limited sends n requests at once on one connection and counts those that a limit refuses, each of which has to be as the
// contract wants it.
func limited(t *testing.T, g *nginxtest.Gateway, n int, method, path string, header func(i int) map[string]string, policy string) (refused int) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	for i := range n {
		req, err := http.NewRequestWithContext(t.Context(), method, g.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range header(i) {
			req.Header.Set(name, value)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusTooManyRequests {
			continue
		}
		refused++
		name, _, _ := strings.Cut(policy, ";")
		if res.Header.Get("RateLimit-Policy") != policy || res.Header.Get("RateLimit") != name+";r=0;t=1" {
			t.Fatalf("%s %s: RateLimit %q, RateLimit-Policy %q, want %q", method, path, res.Header.Get("RateLimit"), res.Header.Get("RateLimit-Policy"), policy)
		}
		checkFault(t, path, &reply{res.StatusCode, res.Header, string(body)}, 429, "rate_limited")
	}
	return refused
}

// TestLimits proves each of them: what passes at once, that the rest is refused, and whom it is counted for.
func TestLimits(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Request-Id", "q7") }))
	t.Cleanup(server.Close)
	newGateway := func(t *testing.T, settings ...string) *nginxtest.Gateway {
		return nginxtest.Run(t, nginxtest.Config{Upstream: server.Listener.Addr().String(), Storage: t.TempDir(), Workers: 1, Settings: settings})
	}
	at := func(address string) func(int) map[string]string {
		return func(int) map[string]string { return map[string]string{"X-Forwarded-For": address} }
	}
	with := func(address string, name, value string, made bool) func(int) map[string]string {
		return func(i int) map[string]string {
			if !made {
				i = 0
			}
			return map[string]string{"X-Forwarded-For": address, name: value + credential(i)}
		}
	}
	for name, c := range map[string]struct {
		n            int
		method, path string
		header       func(int) map[string]string
		pass         int // at once; some more come free while the test runs
		policy       string
	}{
		"strangers": {400, "GET", "/api/v1/feed", at("10.0.0.1"), 101, `"api";q=100;w=10`},
		"strangers with nonsense": {400, "GET", "/api/v1/feed", func(i int) map[string]string {
			return map[string]string{"Authorization": fmt.Sprintf("Bearer %d", i), "Cookie": fmt.Sprintf("kadr_session=%d", i)}
		}, 101, `"api";q=100;w=10`},
		"strangers in a /64": {400, "GET", "/api/v1/feed", func(i int) map[string]string {
			return map[string]string{"X-Forwarded-For": fmt.Sprintf("2001:db8:0:a::%x", i+1)}
		}, 101, `"api";q=100;w=10`},
		"a key":                      {700, "GET", "/api/v1/images", with("10.0.0.2", "Authorization", "Bearer kadr_", false), 251, `"api";q=250;w=5`},
		"a session":                  {700, "GET", "/api/v1/images", with("10.0.0.3", "Cookie", "a=b; kadr_session=", false), 251, `"api";q=250;w=5`},
		"a session under https":      {700, "GET", "/api/v1/images", with("10.0.0.3", "Cookie", "__Host-kadr_session=", false), 251, `"api";q=250;w=5`},
		"made-up keys":               {1200, "GET", "/api/v1/images", with("10.0.0.4", "Authorization", "Bearer kadr_", true), 501, `"api";q=250;w=5`},
		"made-up sessions":           {1200, "GET", "/api/v1/images", with("10.0.0.5", "Cookie", "kadr_session=", true), 501, `"api";q=250;w=5`},
		"signing in":                 {80, "POST", "/api/v1/sessions", at("10.0.0.6"), 41, `"sign-in";q=40;w=40`},
		"registering":                {80, "POST", "/api/v1/accounts", at("10.0.0.7"), 41, `"sign-in";q=40;w=40`},
		"signing in, escaped":        {80, "POST", "/api/v1/%73essions", at("10.0.0.8"), 41, `"sign-in";q=40;w=40`},
		"signing in with made-up":    {80, "POST", "/api/v1/sessions", with("10.0.0.9", "Authorization", "Bearer kadr_", true), 41, `"sign-in";q=40;w=40`},
		"uploads":                    {400, "POST", "/api/v1/images", with("10.0.0.10", "Authorization", "Bearer kadr_", false), 201, `"uploads";q=200;w=10`},
		"parts":                      {400, "PATCH", "/api/v1/uploads/aaaaaaaaaaaaa", with("10.0.0.15", "Authorization", "Bearer kadr_", false), 201, `"uploads";q=200;w=10`},
		"uploads by strangers":       {400, "POST", "/api/v1/images", at("10.0.0.11"), 101, `"api";q=100;w=10`},
		"pictures":                   {4000, "GET", "/i/aaaaaaaaaaaaa.jpg", at("10.0.0.12"), 2001, `"pictures";q=2000;w=4`},
		"pages":                      {1200, "GET", "/css/base.css", at("10.0.0.13"), 501, `"pages";q=500;w=5`},
		"asking whether it is ready": {60, "GET", "/readyz", at("10.0.0.14"), 21, `"checks";q=20;w=10`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t)
			begun := time.Now()
			refused := limited(t, g, c.n, c.method, c.path, c.header, c.policy)
			var quota, window float64
			if _, err := fmt.Sscanf(c.policy[strings.Index(c.policy, "q="):], "q=%f;w=%f", &quota, &window); err != nil {
				t.Fatal(err)
			}
			rate := max(quota/window, float64(c.pass)/5) // of what limits here: everybody at an address together may be
			passed, most := c.n-refused, c.pass+int(rate*(time.Since(begun).Seconds()+1))
			if passed < c.pass || passed > most {
				t.Errorf("%d of %d pass, want %d to %d", passed, c.n, c.pass, most)
			}
			// Whoever was refused gets through after as long as Retry-After says.
			time.Sleep(time.Second)
			if n := limited(t, g, 1, c.method, c.path, c.header, c.policy); n != 0 {
				t.Error("after a second one more is refused")
			}
			// Others are not bothered, and neither is what is counted by itself.
			if n := limited(t, g, 20, c.method, c.path, at("192.0.2.1"), c.policy); n != 0 {
				t.Errorf("another address is refused %d of 20 times", n)
			}
			other := "/i/bbbbbbbbbbbbb.jpg"
			if c.path[:3] == "/i/" {
				other = "/api/v1/feed"
			}
			if n := limited(t, g, 20, "GET", other, at("10.0.0.12"), ""); n != 0 {
				t.Errorf("%s is refused", other)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		g := newGateway(t, "KADR_UNLIMITED=10.9.0.0/16,2001:db8::/32")
		for path, n := range map[string]int{"/api/v1/sessions": 100, "/api/v1/images": 500} {
			if n := limited(t, g, n, "POST", path, with("10.9.8.7", "Authorization", "Bearer kadr_", false), ""); n != 0 {
				t.Errorf("%d are refused", n)
			}
		}
	})
}

// TestUploadsAtOnce holds connections open: one member's, and another's beside.
func TestUploadsAtOnce(t *testing.T) {
	t.Parallel()
	arrived, leave := make(chan struct{}, 100), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-leave
	}))
	t.Cleanup(server.Close)
	g := nginxtest.Run(t, nginxtest.Config{Upstream: server.Listener.Addr().String(), Storage: t.TempDir(), Workers: 1})
	replies := make(chan *http.Response, 100)
	upload := func(n int) {
		go func() {
			req, _ := http.NewRequest(http.MethodPost, g.URL+"/api/v1/images", nil) //nolint:noctx // it ends with the server
			req.Header.Set("Authorization", "Bearer kadr_"+credential(n))
			res, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				replies <- &http.Response{}
				return
			}
			res.Body.Close()
			replies <- res
		}()
	}
	const most = 32
	for range most {
		upload(1)
	}
	for range most {
		<-arrived
	}
	upload(1)
	if r := <-replies; r.StatusCode != http.StatusTooManyRequests || r.Header.Get("Retry-After") != "1" ||
		r.Header.Get("RateLimit-Policy") != `"uploads-at-once";q=32;qu="concurrent-requests"` || r.Header.Get("RateLimit") != `"uploads-at-once";r=0` {
		t.Errorf("one more was answered with %d %v", r.StatusCode, r.Header)
	}
	upload(2)
	<-arrived
	close(leave)
	for range most + 1 {
		if r := <-replies; r.StatusCode != http.StatusOK {
			t.Errorf("an upload was answered with %d", r.StatusCode)
		}
	}
}
