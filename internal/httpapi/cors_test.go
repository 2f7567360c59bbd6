package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

const (
	listed   = "http://localhost:5500"
	unlisted = "http://localhost:5501"
)

// preflight asks as a browser does before it sends what a plain form could not.
func (c *client) preflight(path, origin, method, headers string) *reply {
	c.t.Helper()
	return c.do("OPTIONS", path, nil, "Origin: "+origin, "Access-Control-Request-Method: "+method, "Access-Control-Request-Headers: "+headers)
}

func corsHeaders(h http.Header) []string {
	var found []string
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			found = append(found, name)
		}
	}
	return found
}

func TestCrossOriginRequests(t *testing.T) {
	t.Parallel()
	in := newInstance(t, "CORS_ORIGINS="+listed+",https://app.example.org")
	c := in.person(t)
	private := c.stored(pngOf("cors private", 20, 20), "?visibility=private")
	public := c.stored(pngOf("cors public", 20, 20), "?visibility=public")

	t.Run("preflight", func(t *testing.T) {
		t.Parallel()
		c := in.stranger(t)
		for _, path := range []string{"/api/v1/images", "/api/v1/images/" + private.ID, "/api/v1/nothing", private.URL} {
			r := c.preflight(path, listed, "PATCH", "authorization,content-type,if-match,traceparent").want(204)
			h := r.Header
			if h.Get("Access-Control-Allow-Origin") != listed || h.Get("Access-Control-Allow-Credentials") != "true" || h.Get("Access-Control-Max-Age") != "7200" {
				t.Errorf("%s: %v", path, h)
			}
			for header, wanted := range map[string][]string{
				"Access-Control-Allow-Methods": {"GET", "HEAD", "POST", "PATCH", "DELETE"},
				"Access-Control-Allow-Headers": {"authorization", "content-type", "if-match", "if-none-match", "idempotency-key", "content-digest", "traceparent"},
			} {
				list := strings.Split(strings.ToLower(h.Get(header)), ",")
				for _, w := range wanted {
					if !slices.Contains(list, strings.ToLower(w)) {
						t.Errorf("%s: %s lacks %s", path, header, w)
					}
				}
			}
			vary := strings.Join(h.Values("Vary"), ", ")
			if !strings.Contains(vary, "Origin") || !strings.Contains(vary, "Access-Control-Request-Headers") || h.Get("X-Request-Id") == "" || len(r.body) > 0 {
				t.Errorf("%s: %v", path, h)
			}
		}
		// Others learn nothing, and a question that is no preflight is answered as ever.
		for name, r := range map[string]*reply{
			"unlisted":      c.preflight("/api/v1/images", unlisted, "POST", "content-type"),
			"null":          c.preflight("/api/v1/images", "null", "POST", "content-type"),
			"a like name":   c.preflight("/api/v1/images", listed+".example.org", "POST", "content-type"),
			"no preflight":  c.do("OPTIONS", "/api/v1/images", nil),
			"without a why": c.do("OPTIONS", "/api/v1/images", nil, "Origin: "+unlisted),
		} {
			r.problem(405, "method_not_allowed")
			if found := corsHeaders(r.Header); len(found) > 0 || r.Header.Get("Allow") == "" || r.Header.Get("Vary") != "Origin" {
				t.Errorf("%s: %v", name, r.Header)
			}
		}
		c.do("OPTIONS", "/api/v1/images", nil, "Origin: "+listed).problem(405, "method_not_allowed")
		for _, path := range []string{"/", "/docs", "/healthz", "/js/app.js"} {
			if found := corsHeaders(c.preflight(path, listed, "GET", "").Header); len(found) > 0 {
				t.Errorf("%s: %v", path, found)
			}
		}
	})
	t.Run("replies", func(t *testing.T) {
		t.Parallel()
		own, stranger := c.as(t), in.stranger(t)
		key := c.as(t).program("images:read")
		for name, r := range map[string]*reply{
			"200":                 own.get("/api/v1/account", "Origin: "+listed).want(200),
			"304":                 own.get("/api/v1/account", "Origin: "+listed, "If-None-Match: *").want(304),
			"400":                 own.get("/api/v1/images?limit=0", "Origin: "+listed).want(400),
			"401":                 stranger.get("/api/v1/account", "Origin: "+listed).want(401),
			"404":                 own.get("/api/v1/nothing", "Origin: "+listed).want(404),
			"405":                 own.do("PATCH", "/api/v1/feed", nil, "Origin: "+listed).want(405),
			"413":                 own.upload(make([]byte, maxUploadBytes+1), "", "Origin: "+listed).want(413),
			"415":                 own.upload([]byte("no picture"), "", "Origin: "+listed).want(415),
			"with a key":          key.get("/api/v1/images", "Origin: "+listed).want(200),
			"of another listed":   own.get("/api/v1/account", "Origin: "+listed).want(200),
			"a change by cookie":  own.do("PATCH", "/api/v1/images/"+public.ID, object{"title": "x"}, "Origin: "+listed, "Sec-Fetch-Site: same-site").want(200),
			"a private picture":   own.get(private.URL, "Origin: "+listed).want(200),
			"no private picture":  stranger.get(private.URL, "Origin: "+listed).want(404),
			"a picture by key":    key.get(private.URL, "Origin: "+listed).want(200),
			"the other one's own": own.get("/api/v1/images", "Origin: "+listed, "Sec-Fetch-Site: cross-site").want(200),
		} {
			h := r.Header
			exposed := h.Get("Access-Control-Expose-Headers")
			if h.Get("Access-Control-Allow-Origin") != listed || h.Get("Access-Control-Allow-Credentials") != "true" ||
				!strings.Contains(strings.Join(h.Values("Vary"), ", "), "Origin") {
				t.Errorf("%s: %v", name, h)
			}
			for _, w := range []string{"ETag", "Location", "Link", "X-Request-Id", "Retry-After", "RateLimit", "RateLimit-Policy"} {
				if !slices.Contains(strings.Split(exposed, ","), w) {
					t.Errorf("%s does not expose %s", name, w)
				}
			}
		}
		r := own.get("/api/v1/account", "Origin: https://app.example.org").want(200)
		if r.Header.Get("Access-Control-Allow-Origin") != "https://app.example.org" {
			t.Errorf("the second of the list: %v", r.Header)
		}
	})
	t.Run("a rate limit can be read", func(t *testing.T) {
		t.Parallel()
		c := in.registered(t)
		for range 40 {
			r := in.stranger(t).do("POST", "/api/v1/sessions", object{"name": c.name, "password": "not the password"}, "Origin: "+listed)
			if r.Header.Get("Access-Control-Allow-Origin") != listed {
				t.Fatalf("%d: %v", r.StatusCode, r.Header)
			}
			if r.StatusCode == http.StatusTooManyRequests {
				return
			}
		}
		t.Error("it never came to a 429")
	})
	t.Run("others", func(t *testing.T) {
		t.Parallel()
		c := c.as(t)
		for name, r := range map[string]*reply{
			"reading":    c.get("/api/v1/account", "Origin: "+unlisted).want(200), // which the browser keeps from the page
			"changing":   c.do("PATCH", "/api/v1/images/"+public.ID, object{"title": "y"}, "Origin: "+unlisted, "Sec-Fetch-Site: same-site").want(403),
			"uploading":  c.upload(pngOf("cors other", 20, 20), "", "Origin: "+unlisted).want(403),
			"null":       c.do("DELETE", "/api/v1/images/"+public.ID, nil, "Origin: null", "Sec-Fetch-Site: cross-site").want(403),
			"signing in": in.stranger(t).do("POST", "/api/v1/sessions", object{"name": c.name, "password": password}, "Origin: "+unlisted).want(403),
		} {
			if found := corsHeaders(r.Header); len(found) > 0 || r.Header.Get("Vary") != "Origin" {
				t.Errorf("%s: %v", name, r.Header)
			}
		}
	})
	t.Run("public pictures are everybody's", func(t *testing.T) {
		t.Parallel()
		c := c.as(t)
		for range 2 { // the second time from memory
			for _, origin := range []string{listed, unlisted} {
				h := c.get(public.URL, "Origin: "+origin).want(200).Header
				if h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Credentials") != "" || h.Get("Vary") != "" {
					t.Errorf("for %s: %v", origin, h)
				}
			}
		}
		h := c.get(private.URL).want(200).Header
		if h.Get("Cross-Origin-Resource-Policy") != "same-site" || h.Get("Vary") != "Cookie, Authorization, Origin" {
			t.Errorf("a private picture: %v", h)
		}
	})
}

// Where nobody is listed, as on a server by default, there is no CORS.
func TestNoCrossOriginRequests(t *testing.T) {
	t.Parallel()
	c := newInstance(t).person(t)
	r := c.preflight("/api/v1/images", listed, "POST", "content-type").want(405)
	for _, r := range []*reply{r, c.get("/api/v1/account", "Origin: "+listed).want(200), c.do("DELETE", "/api/v1/sessions", nil, "Origin: "+listed).want(403)} {
		if found := corsHeaders(r.Header); len(found) > 0 || r.Header.Get("Vary") != "" {
			t.Errorf("%d: %v", r.StatusCode, r.Header)
		}
	}
}
