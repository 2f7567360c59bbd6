package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	api "github.com/kadr-app/kadr/gen/client"
)

func TestAccounts(t *testing.T) {
	t.Parallel()
	in := newInstance(t, "SWEEP_GRACE=0s")

	t.Run("registration", func(t *testing.T) {
		t.Parallel()
		c := in.stranger(t)
		r := c.do("POST", "/api/v1/accounts", object{"name": "new-comer", "password": password, "email": "new@example.org"}).want(201)
		var made api.Account
		r.into(&made)
		if made.Name != "new-comer" || made.Email.MustGet() != "new@example.org" || made.DefaultVisibility != "unlisted" || made.KeepMetadata {
			t.Errorf("got %s", r.body)
		}
		if r.Header.Get("Location") != "/api/v1/account" || r.Header.Get("ETag") == "" || r.Header.Get("Set-Cookie") != "" {
			t.Errorf("headers %v", r.Header)
		}
		if r.Header.Get("RateLimit") == "" || r.Header.Get("RateLimit-Policy") != `"address";q=10;w=3600` {
			t.Errorf("limits %q of %q", r.Header.Get("RateLimit"), r.Header.Get("RateLimit-Policy"))
		}
		for name, tc := range map[string]struct {
			body        object
			where, code string
		}{
			"short name":        {object{"name": "a", "password": password}, "/name", "min_length"},
			"long name":         {object{"name": strings.Repeat("a", 33), "password": password}, "/name", "max_length"},
			"capitals":          {object{"name": "Anna", "password": password}, "/name", "pattern"},
			"a hyphen in front": {object{"name": "-anna", "password": password}, "/name", "pattern"},
			"Cyrillic":          {object{"name": "анна", "password": password}, "/name", "pattern"},
			"short password":    {object{"name": "anna", "password": "short"}, "/password", "min_length"},
			"long password":     {object{"name": "anna", "password": strings.Repeat("x", 257)}, "/password", "max_length"},
			"NUL":               {object{"name": "anna", "password": password + "\x00"}, "/password", "pattern"},
			"no password":       {object{"name": "anna"}, "/password", "required"},
			"email":             {object{"name": "anna", "password": password, "email": "anna@example"}, "/email", "invalid_email"},
			"email with spaces": {object{"name": "anna", "password": password, "email": "a b@example.org"}, "/email", "pattern"},
			"invitation":        {object{"name": "anna", "password": password, "invite_code": "x"}, "/invite_code", "pattern"},
		} {
			if r := c.do("POST", "/api/v1/accounts", tc.body); r.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: %d %s", name, r.StatusCode, r.body)
			} else {
				r.fault(tc.where, tc.code)
			}
		}
		p := c.do("POST", "/api/v1/accounts", object{"name": "new-comer", "password": password}).problem(409, "name_taken")
		if (*p.Errors)[0].Pointer == nil || *(*p.Errors)[0].Pointer != "/name" {
			t.Errorf("errors %+v", *p.Errors)
		}
		// An email may be somebody else's too; nobody is told.
		c.do("POST", "/api/v1/accounts", object{"name": "new-comer-2", "password": password, "email": "new@example.org"}).want(201)
		c.do("POST", "/api/v1/accounts", object{"name": "new-comer-3", "password": strings.Repeat("ж", 256), "email": nil}).want(201)
	})
	t.Run("change", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		img := c.stored(pngOf("renamed", 9, 9), "?visibility=public")
		tag := c.get("/api/v1/account").want(200).Header.Get("ETag")
		c.get("/api/v1/account", "If-None-Match: "+tag).want(304)
		r := c.do("PATCH", "/api/v1/account", object{"name": c.name + "x", "email": "me@example.org", "default_visibility": "public"}, "If-Match: "+tag).want(200)
		var a api.Account
		r.into(&a)
		if a.Name != c.name+"x" || a.Email.MustGet() != "me@example.org" || a.DefaultVisibility != "public" || r.Header.Get("ETag") == tag {
			t.Errorf("got %s with %s", r.body, r.Header.Get("ETag"))
		}
		c.get("/api/v1/account", "If-None-Match: "+tag).want(200)
		c.do("PATCH", "/api/v1/account", object{"keep_metadata": true}, "If-Match: "+tag).problem(412, "precondition_failed")
		if got := c.get("/api/v1/images/" + img.ID).want(200).image().AccountName; got != a.Name {
			t.Errorf("the picture is still %s's", got)
		}
		c.get("/api/v1/accounts/"+c.name+"/images").problem(404, "account_not_found")
		if n := len(c.get("/api/v1/accounts/" + a.Name + "/images").page().Items); n != 1 {
			t.Errorf("%d pictures under the new name", n)
		}
		c.do("PATCH", "/api/v1/account", object{"email": nil}).want(200).into(&a)
		if !a.Email.IsNull() {
			t.Error("the email stayed")
		}
		c.do("PATCH", "/api/v1/account", object{"name": in.person(t).name}).problem(409, "name_taken")
	})
	t.Run("a new password", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		other := c.browser()
		const next = "another private sentence"
		p := c.do("PATCH", "/api/v1/account", object{"password": next, "current_password": "not this one"}).problem(403, "wrong_password")
		if *(*p.Errors)[0].Pointer != "/current_password" {
			t.Errorf("errors %+v", *p.Errors)
		}
		r := c.do("PATCH", "/api/v1/account", object{"password": next, "current_password": password}).want(200)
		if r.Header.Get("RateLimit-Policy") != `"name";q=10;w=600` || !strings.Contains(r.Header.Get("RateLimit"), `"name";r=`) {
			t.Errorf("limits %q of %q", r.Header.Get("RateLimit"), r.Header.Get("RateLimit-Policy"))
		}
		if r := c.do("PATCH", "/api/v1/account", object{"keep_metadata": true}).want(200); r.Header.Get("RateLimit") != "" {
			t.Errorf("without a password nothing is limited, and yet RateLimit is %q", r.Header.Get("RateLimit"))
		}
		c.get("/api/v1/account").want(200)
		other.get("/api/v1/account").problem(401, "unauthenticated")
		in.stranger(t).do("POST", "/api/v1/sessions", object{"name": c.name, "password": password}).problem(401, "wrong_credentials")
		in.stranger(t).do("POST", "/api/v1/sessions", object{"name": c.name, "password": next}).want(201)
		var last *reply
		for range 11 {
			last = c.do("PATCH", "/api/v1/account", object{"password": next, "current_password": "guess"})
		}
		if last.problem(429, "rate_limited"); last.Header.Get("Retry-After") == "" {
			t.Errorf("headers %v", last.Header)
		}
	})
	t.Run("deletion", func(t *testing.T) {
		t.Parallel()
		c, other := in.person(t), in.person(t)
		shared, own := pngOf("shared", 30, 30), jpegOf("own", 400, 300)
		theirs := other.stored(shared, "")
		key := c.program("images:read")
		pictures := []api.Image{c.stored(shared, ""), c.stored(own, "?visibility=public")}
		c.get(pictures[1].URL + "?w=160").want(200)
		c.do("DELETE", "/api/v1/account?confirm=somebody-else", nil).fault("?confirm", "confirmation_mismatch")
		c.do("DELETE", "/api/v1/account?confirm="+c.name, nil, `If-Match: "x"`).problem(412, "precondition_failed")
		c.do("DELETE", "/api/v1/account?confirm="+c.name, nil, "If-Match: "+c.get("/api/v1/account").Header.Get("ETag")).want(204)
		c.get("/api/v1/account").problem(401, "unauthenticated")
		key.get("/api/v1/images").problem(401, "invalid_api_key")
		stranger := in.stranger(t)
		for _, img := range pictures {
			stranger.get(img.URL).problem(410, "image_gone")
			stranger.get(img.URL+"?w=64").problem(410, "image_gone")
			stranger.get("/api/v1/images/"+img.ID).problem(410, "image_gone")
		}
		stranger.get("/api/v1/accounts/"+c.name+"/images").problem(404, "account_not_found")
		stranger.get(theirs.URL).want(200)
		eventually(t, "the bytes of the picture that nobody shares are gone", func() bool {
			for _, f := range append(in.files(t, "blobs"), in.files(t, "variants")...) {
				if strings.Contains(f, sha256Hex(own)) {
					return false
				}
			}
			return true
		})
		stranger.get(theirs.URL).want(200)
		stranger.do("POST", "/api/v1/sessions", object{"name": c.name, "password": password}).problem(401, "wrong_credentials")
		stranger.do("POST", "/api/v1/accounts", object{"name": c.name, "password": password}).want(201) // the name is free again
	})
}

func TestAdministrator(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	first, second := in.registered(t), in.registered(t)
	for c, role := range map[*client]string{first: "admin", second: "member"} {
		if body := string(c.get("/api/v1/account").want(200).body); !strings.Contains(body, fmt.Sprintf(`"role":%q`, role)) {
			t.Errorf("%s should be %s: %s", c.name, role, body)
		}
	}
	first.do("DELETE", "/api/v1/account?confirm="+first.name, nil).problem(409, "last_administrator")
	second.do("DELETE", "/api/v1/account?confirm="+second.name, nil).want(204)
	first.do("DELETE", "/api/v1/account?confirm="+first.name, nil).want(204)
}

func TestRegistrationPolicy(t *testing.T) {
	t.Parallel()
	for policy, code := range map[string]string{"closed": "registration_closed", "invite": "invite_needed"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			in := newInstance(t, "REGISTRATION="+policy)
			in.registered(t) // the first may always
			c := in.stranger(t)
			c.do("POST", "/api/v1/accounts", object{"name": "second", "password": password}).problem(403, code)
			c.do("POST", "/api/v1/accounts", object{"name": "second", "password": password, "invite_code": strings.Repeat("a", 26)}).problem(403, code)
		})
	}
}
