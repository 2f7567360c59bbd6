package httpapi_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/kadr-app/kadr/internal/account"
)

const absentID = "aaaaaaaaaaaaa"

// call sends an operation with a body that is fine or, when spoiled, is not.
func (c *client) call(op operation, id string, spoiled bool, headers ...string) *reply {
	c.t.Helper()
	path := op.at(id)
	var body any
	if mediaType := op.mediaType(); mediaType != "" {
		headers = append(headers, "Content-Type: "+mediaType)
		body = []byte("{}")
		if op.optional() { // a stranger who may ask has to ask for something
			body = op.example(c.t)
		}
		if spoiled {
			body = []byte("\xff{")
		}
	}
	if spoiled {
		path += "?nonsense=%00"
	}
	return c.do(op.method, path, body, headers...)
}

// TestSecurity is about logins and what they keep apart, beside who may do what (who_may_test.go).
func TestSecurity(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	anna := in.person(t)
	picture := anna.stored(pngOf("security", 20, 20), "?visibility=private")
	all := make([]string, 0, 4)
	for _, s := range account.Scopes() {
		all = append(all, string(s))
	}
	ops := operations(t)

	t.Run("a stranger", func(t *testing.T) {
		t.Parallel()
		stranger, ended, wrong := in.stranger(t), in.person(t), in.stranger(t)
		ended.do("DELETE", "/api/v1/sessions/current", nil).want(204)
		wrong.key = "kadr_" + strings.Repeat("a", 26)
		for _, op := range ops {
			if op.optional() {
				continue
			}
			// Nothing else is looked at before the login: not even whether the request makes sense.
			for _, spoiled := range []bool{false, true} {
				r := stranger.call(op, absentID, spoiled)
				if r.problem(401, "unauthenticated"); r.Header.Get("WWW-Authenticate") != `Bearer realm="kadr"` {
					t.Errorf("%s: WWW-Authenticate is %q", op.OperationID, r.Header.Get("WWW-Authenticate"))
				}
				wrong.call(op, absentID, spoiled).problem(401, "invalid_api_key")
			}
			ended.call(op, absentID, false).problem(401, "unauthenticated")
			stranger.call(op, absentID, false, "Authorization: Basic YTpi").problem(401, "unsupported_authorization")
			stranger.call(op, absentID, false, "Authorization: Bearer").problem(401, "invalid_api_key")
			stranger.call(op, absentID, false, "Cookie: kadr_session=nonsense").problem(401, "unauthenticated")
			stranger.call(op, absentID, false, "Cookie: kadr_session="+strings.Repeat("a", 26)).problem(401, "unauthenticated")
		}
		for _, op := range ops {
			if op.optional() && op.Security != nil {
				// A program that thinks it has a key wants to hear that it has not; an old cookie is nobody's fault.
				wrong.call(op, absentID, false).problem(401, "invalid_api_key")
				stranger.call(op, absentID, false, "Cookie: kadr_session=old").problem(404, "")
			}
		}
	})
	t.Run("another site", func(t *testing.T) {
		t.Parallel()
		c := anna.as(t)
		for _, op := range ops {
			if op.method == "GET" {
				continue
			}
			for _, h := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: http://evil.test", "Origin: null"} {
				c.call(op, absentID, false, h).problem(403, "cross_origin")
			}
		}
		c.do("PATCH", "/api/v1/account", object{"keep_metadata": false}, "Origin: "+publicURL).want(200)
		c.do("PATCH", "/api/v1/account", object{"keep_metadata": false}, "Sec-Fetch-Site: same-origin").want(200)
		// Behind a gateway the server's own name may be another one.
		c.do("PATCH", "/api/v1/account", object{"keep_metadata": false}, "Sec-Fetch-Site: cross-site", "Origin: "+publicURL).want(200)
		c.get("/api/v1/account", "Sec-Fetch-Site: cross-site").want(200)
	})
	t.Run("what ends, ends at once", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		var made struct{ ID, Key string }
		c.do("POST", "/api/v1/api-keys", object{"name": "x", "scopes": []string{"account:read"}}).want(201).into(&made)
		key := in.stranger(t)
		key.key = made.Key
		key.get("/api/v1/account").want(200)
		c.do("DELETE", "/api/v1/api-keys/"+made.ID, nil).want(204)
		key.get("/api/v1/account").problem(401, "invalid_api_key")
		c.do("DELETE", "/api/v1/api-keys/"+made.ID, nil).problem(404, "api_key_not_found")

		one, other := c.program("images:write"), c.program("images:write")
		c.do("DELETE", "/api/v1/api-keys/current", nil).problem(404, "api_key_not_found") // a session is no key
		one.do("DELETE", "/api/v1/api-keys/current", nil).want(204)
		one.do("DELETE", "/api/v1/api-keys/current", nil).problem(401, "invalid_api_key")
		other.get("/api/v1/uploads/"+absentID).problem(404, "upload_not_found")

		browser := c.browser()
		var sessions struct {
			Items []struct {
				ID      string
				Current bool
			}
		}
		c.get("/api/v1/sessions").want(200).into(&sessions)
		for _, s := range sessions.Items {
			if !s.Current {
				r := c.do("DELETE", "/api/v1/sessions/"+s.ID, nil).want(204)
				if r.Header.Get("Set-Cookie") != "" {
					t.Error("the cookie of this session was removed with another one")
				}
			}
		}
		browser.get("/api/v1/account").problem(401, "unauthenticated")
		c.get("/api/v1/account").want(200)
		browser.signIn()
		c.do("DELETE", "/api/v1/sessions", nil).want(204)
		browser.get("/api/v1/account").problem(401, "unauthenticated")
	})
	t.Run("a private picture looks like none", func(t *testing.T) {
		t.Parallel()
		own := anna.as(t)
		link := own.get(picture.URL).want(200)
		if link.Header.Get("Cache-Control") != "private, no-cache" || link.Header.Get("Vary") != "Cookie, Authorization" || link.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("headers of a private picture: %v", link.Header)
		}
		anna.as(t).program("images:read").get(picture.URL).want(200)
		for name, c := range map[string]*client{"stranger": in.stranger(t), "another": in.person(t), "another's key": in.person(t).program(all...)} {
			for _, tc := range []struct {
				method, path string
				headers      []string
			}{
				{"GET", "/i/%s.png", nil},
				{"HEAD", "/i/%s.png", nil},
				{"GET", "/i/%s.webp?w=64", nil},
				{"GET", "/i/%s.gif", nil},
				{"GET", "/i/%s.gif?w=64", nil},
				{"GET", "/i/%s.png", []string{"If-None-Match: " + link.Header.Get("ETag")}},
				{"GET", "/i/%s.png", []string{"If-None-Match: *"}},
				{"GET", "/i/%s.png", []string{"If-Match: \"x\""}},
				{"GET", "/i/%s.png", []string{"Range: bytes=0-1"}},
				{"GET", "/i/%s.png", []string{"Range: bytes=99999-"}},
				{"GET", "/api/v1/images/%s", nil},
				{"GET", "/api/v1/images/%s", []string{"If-None-Match: *"}},
				{"PATCH", "/api/v1/images/%s", nil},
				{"DELETE", "/api/v1/images/%s", nil},
				{"DELETE", "/api/v1/images/%s", []string{"If-Match: \"x\""}},
				{"GET", "/p/%s", nil},
			} {
				var body any
				if tc.method == "PATCH" {
					body = object{"title": "x"}
				}
				private := c.do(tc.method, fmt.Sprintf(tc.path, picture.ID), body, tc.headers...)
				none := c.do(tc.method, fmt.Sprintf(tc.path, absentID), body, tc.headers...)
				if a, b := appearance(private), appearance(none); a != b {
					t.Errorf("%s: %s %s can be told from none:\n%s\n%s", name, tc.method, tc.path, a, b)
				}
			}
		}
	})
	t.Run("no list shows what is not public", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		public := c.stored(pngOf("list 1", 20, 20), "?visibility=public")
		for i, v := range []string{"unlisted", "private"} {
			c.stored(pngOf(fmt.Sprint("list other ", i), 20, 20), "?visibility="+v)
		}
		another := in.person(t)
		if items := another.get("/api/v1/images").page().Items; len(items) != 0 {
			t.Errorf("somebody else's pictures are listed: %+v", items)
		}
		for _, viewer := range []*client{in.stranger(t), c, another} {
			items := viewer.get("/api/v1/accounts/" + c.name + "/images").page().Items
			if len(items) != 1 || items[0].ID != public.ID {
				t.Errorf("%s sees %+v", viewer.name, items)
			}
			for _, img := range viewer.get("/api/v1/feed?limit=100").page().Items {
				if img.Visibility != "public" {
					t.Errorf("the feed shows %+v", img)
				}
			}
		}
	})
	t.Run("headers", func(t *testing.T) {
		t.Parallel()
		c := anna.as(t)
		for _, path := range []string{"/api/v1/account", "/api/v1/nothing", "/i/x", "/", "/docs", "/healthz", picture.URL} {
			r := c.get(path)
			for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"} {
				if r.Header.Get(name) != want {
					t.Errorf("%s: %s is %q", path, name, r.Header.Get(name))
				}
			}
			if csp := r.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src '") || strings.Contains(csp, "unsafe-eval") || strings.Contains(csp, "script-src 'unsafe") {
				t.Errorf("%s: the policy is %q", path, csp)
			}
			if strings.HasPrefix(path, "/api/") && r.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s may be cached: %q", path, r.Header.Get("Cache-Control"))
			}
			if r.Header.Get("X-Request-Id") == "" || r.Header.Get("Server") != "" {
				t.Errorf("%s: %v", path, r.Header)
			}
		}
	})
}

// appearance is all that a reply tells, without what differs every time.
func appearance(r *reply) string {
	h := r.Header.Clone()
	for _, name := range []string{"Date", "X-Request-Id"} {
		h.Del(name)
	}
	var b strings.Builder
	fmt.Fprintln(&b, r.StatusCode, r.ContentLength)
	for _, name := range slices.Sorted(maps.Keys(h)) {
		fmt.Fprintln(&b, name, h[name])
	}
	body := strings.ReplaceAll(string(r.body), r.Header.Get("X-Request-Id"), "")
	return b.String() + body
}

// Under https the cookie is bound to the host and to https.
func TestSecureCookie(t *testing.T) {
	t.Parallel()
	in := newInstance(t, "PUBLIC_URL=https://pictures.test")
	c := in.stranger(t)
	c.do("POST", "/api/v1/accounts", object{"name": "anna", "password": password}).want(201)
	cookie := c.do("POST", "/api/v1/sessions", object{"name": "anna", "password": password}).want(201).Header.Get("Set-Cookie")
	parsed, err := http.ParseSetCookie(cookie)
	if err != nil {
		t.Fatal(err)
	}
	if parsed.Name != "__Host-kadr_session" || !parsed.Secure || !parsed.HttpOnly || parsed.SameSite != http.SameSiteLaxMode || parsed.Path != "/" || parsed.Domain != "" {
		t.Errorf("cookie %s", cookie)
	}
	c.get("/api/v1/account", "Cookie: __Host-kadr_session="+parsed.Value).want(200)
	c.get("/api/v1/account", "Cookie: kadr_session="+parsed.Value).want(401)
	cleared := c.do("DELETE", "/api/v1/sessions/current", nil, "Cookie: __Host-kadr_session="+parsed.Value).want(204).Header.Get("Set-Cookie")
	if !strings.HasPrefix(cleared, "__Host-kadr_session=;") || !strings.Contains(cleared, "Max-Age=0") || !strings.Contains(cleared, "Secure") {
		t.Errorf("cleared by %s", cleared)
	}
}
