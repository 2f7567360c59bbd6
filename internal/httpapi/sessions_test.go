package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	api "github.com/kadr-app/kadr/gen/client"
)

func TestSessions(t *testing.T) {
	t.Parallel()
	in := newInstance(t)

	t.Run("sign in and out", func(t *testing.T) {
		t.Parallel()
		c := in.registered(t)
		other := in.stranger(t)
		agent := "Test/1.0 (\xff\x01" + strings.Repeat("ж", 500) + ")"
		r := other.do("POST", "/api/v1/sessions", object{"name": strings.ToUpper(c.name[:1]) + c.name[1:], "password": password}, "User-Agent: "+strings.ReplaceAll(agent, "\x01", "")).want(201)
		var made api.Session
		r.into(&made)
		if !made.Current || made.Address != other.address || !strings.HasPrefix(made.UserAgent, "Test/1.0 (ж") {
			t.Errorf("got %s", r.body)
		}
		cookie, err := http.ParseSetCookie(r.Header.Get("Set-Cookie"))
		if err != nil || cookie.Name != "kadr_session" || !cookie.HttpOnly || cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.MaxAge != 30*24*3600 {
			t.Errorf("cookie %s: %v", r.Header.Get("Set-Cookie"), err)
		}
		if strings.Contains(string(r.body), cookie.Value) || r.Header.Get("Location") != "/api/v1/sessions/"+made.ID {
			t.Errorf("reply %v %s", r.Header, r.body)
		}
		if got := r.Header.Get("RateLimit-Policy"); got != `"address";q=30;w=600, "name";q=10;w=600` {
			t.Errorf("policy %q", got)
		}
		var list api.SessionList
		other.get("/api/v1/sessions").want(200).into(&list)
		current := 0
		for _, s := range list.Items {
			if s.Current {
				current++
			}
		}
		if len(list.Items) != 2 || current != 1 {
			t.Errorf("sessions %+v", list.Items)
		}
		r = other.do("DELETE", "/api/v1/sessions/current", nil).want(204)
		if got := r.Header.Get("Set-Cookie"); !strings.Contains(got, "Max-Age=0") {
			t.Errorf("Set-Cookie %q", got)
		}
		other.get("/api/v1/account").want(401)
		c.get("/api/v1/account").want(200)
		id := func() string {
			c.get("/api/v1/sessions").want(200).into(&list)
			return list.Items[0].ID
		}()
		if got := c.do("DELETE", "/api/v1/sessions/"+id, nil).want(204).Header.Get("Set-Cookie"); !strings.Contains(got, "Max-Age=0") {
			t.Errorf("Set-Cookie %q", got)
		}
		c.get("/api/v1/account").want(401)
	})
	t.Run("the list in pages", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		for range 4 {
			c.browser()
		}
		// Ties in what the list is sorted by.
		if _, err := in.db.Pool.Exec(t.Context(), `UPDATE sessions SET last_used_at = date_trunc('minute', last_used_at) WHERE account_id = (SELECT id FROM accounts WHERE name = $1)`, c.name); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for cursor := ""; ; {
			var page api.SessionList
			c.get("/api/v1/sessions?limit=2" + cursor).want(200).into(&page)
			for _, s := range page.Items {
				if seen[s.ID] {
					t.Errorf("%s is on two pages", s.ID)
				}
				seen[s.ID] = true
			}
			if page.NextCursor.IsNull() {
				break
			}
			cursor = "&cursor=" + page.NextCursor.MustGet()
		}
		if len(seen) != 5 {
			t.Errorf("%d sessions, want 5", len(seen))
		}
	})
	t.Run("wrong names and passwords", func(t *testing.T) {
		t.Parallel()
		c, stranger := in.person(t), in.stranger(t)
		for _, wrong := range []object{{"name": "", "password": "x"}, {"name": c.name, "password": ""}} {
			if r := stranger.do("POST", "/api/v1/sessions", wrong); r.StatusCode != http.StatusBadRequest {
				t.Errorf("%v: %d", wrong, r.StatusCode)
			}
		}
		replies := map[bool][]string{}
		for _, known := range []bool{true, false} {
			guesser := in.stranger(t)
			name := c.name
			if !known {
				name = "x" + name[1:]
			}
			for range 12 {
				r := guesser.do("POST", "/api/v1/sessions", object{"name": name, "password": "wrong password"})
				if r.StatusCode == http.StatusTooManyRequests && (r.Header.Get("Retry-After") == "" || !strings.Contains(r.Header.Get("RateLimit"), `"name";r=0`)) {
					t.Errorf("429 with %v", r.Header)
				}
				text := strings.ReplaceAll(string(r.body), r.Header.Get("X-Request-Id"), "")
				if r.StatusCode == http.StatusTooManyRequests {
					text, _, _ = strings.Cut(text, "Try again in") // how long is a matter of the moment
				}
				replies[known] = append(replies[known], fmt.Sprintf("%d %s %d", r.StatusCode, text, strings.Count(r.Header.Get("RateLimit"), ";r=")))
			}
		}
		for i := range replies[true] {
			if replies[true][i] != replies[false][i] {
				t.Errorf("attempt %d tells the two apart:\n%s\n%s", i, replies[true][i], replies[false][i])
			}
		}
		if !strings.HasPrefix(replies[true][9], "401") || !strings.HasPrefix(replies[true][10], "429") {
			t.Errorf("the tenth got %s, the eleventh %s", replies[true][9], replies[true][10])
		}
		// The right password does not get in either while the name is limited: whoever guesses learns nothing.
		in.stranger(t).do("POST", "/api/v1/sessions", object{"name": c.name, "password": password}).problem(429, "rate_limited")
		c.get("/api/v1/account").want(200)
	})
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	c := in.person(t)
	expires := time.Now().Add(time.Hour).In(time.FixedZone("", 5*3600)).Truncate(time.Second)
	r := c.do("POST", "/api/v1/api-keys", object{"name": "ShareX «дома»", "scopes": []string{"account:read", "images:read"}, "expires_at": expires}).want(201)
	var made api.APIKeyWithSecret
	r.into(&made)
	if made.Name != "ShareX «дома»" || fmt.Sprint(made.Scopes) != "[images:read account:read]" || !strings.HasPrefix(made.Key, made.Prefix) ||
		!made.ExpiresAt.MustGet().Equal(expires) || !made.LastUsedAt.IsNull() || r.Header.Get("Location") != "/api/v1/api-keys/"+made.ID {
		t.Errorf("got %s", r.body)
	}
	program := in.stranger(t)
	program.key = made.Key
	program.get("/api/v1/account").want(200)
	program.get("/api/v1/account", "Authorization: bearer  "+made.Key).problem(401, "unsupported_authorization") // two credentials in one request
	program.key = ""
	program.get("/api/v1/account", "Authorization: bearer  "+made.Key+" ").want(200)
	var list api.APIKeyList
	r = c.get("/api/v1/api-keys").want(200)
	r.into(&list)
	if len(list.Items) != 1 || list.Items[0].LastUsedAt.IsNull() || strings.Contains(string(r.body), made.Key) {
		t.Errorf("list %s", r.body)
	}
	if _, err := in.db.Pool.Exec(t.Context(), `UPDATE api_keys SET expires_at = now() WHERE id = $1`, made.ID); err != nil {
		t.Fatal(err)
	}
	program.get("/api/v1/account", "Authorization: Bearer "+made.Key).problem(401, "invalid_api_key")

	for i := range 99 {
		c.do("POST", "/api/v1/api-keys", object{"name": fmt.Sprint("key ", i), "scopes": []string{"images:read"}}).want(201)
	}
	c.do("POST", "/api/v1/api-keys", object{"name": "one more", "scopes": []string{"images:read"}}).problem(409, "too_many_api_keys")
	// Ties in what the list is sorted by.
	if _, err := in.db.Pool.Exec(t.Context(), `UPDATE api_keys SET created_at = date_trunc('hour', created_at)`); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for cursor := ""; ; {
		c.get("/api/v1/api-keys?limit=30" + cursor).want(200).into(&list)
		for _, k := range list.Items {
			if seen[k.ID] {
				t.Errorf("%s is on two pages", k.ID)
			}
			seen[k.ID] = true
		}
		if list.NextCursor.IsNull() {
			break
		}
		cursor = "&cursor=" + list.NextCursor.MustGet()
	}
	if len(seen) != 100 {
		t.Errorf("%d keys, want 100", len(seen))
	}
}
