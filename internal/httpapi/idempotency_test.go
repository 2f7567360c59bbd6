package httpapi_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	api "github.com/kadr-app/kadr/gen/client"
)

func TestIdempotency(t *testing.T) {
	t.Parallel()
	in := newInstance(t)

	t.Run("createAccount", func(t *testing.T) {
		t.Parallel()
		c := in.stranger(t)
		const key = "Idempotency-Key: account-0001"
		body := object{"name": "once", "password": password}
		first := c.do("POST", "/api/v1/accounts", body, key).want(201)
		again := c.do("POST", "/api/v1/accounts", body, key).want(201)
		if string(first.body) != string(again.body) || again.Header.Get("Location") != first.Header.Get("Location") || again.Header.Get("ETag") != first.Header.Get("ETag") {
			t.Errorf("first %v %s, again %v %s", first.Header, first.body, again.Header, again.body)
		}
		c.do("POST", "/api/v1/accounts", object{"name": "twice", "password": password}, key).problem(422, "idempotency_key_reused")
		c.do("POST", "/api/v1/accounts", object{"name": "once", "password": password + "!"}, key).problem(422, "idempotency_key_reused")
		c.do("POST", "/api/v1/accounts", body, key+"x").problem(409, "name_taken")
	})
	t.Run("createSession", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		body := object{"name": c.name, "password": password}
		first := c.do("POST", "/api/v1/sessions", body, "Idempotency-Key: session-0001").want(201)
		again := in.stranger(t).do("POST", "/api/v1/sessions", body, "Idempotency-Key: session-0001").want(201)
		if first.Header.Get("Set-Cookie") == "" || first.Header.Get("Set-Cookie") != again.Header.Get("Set-Cookie") || string(first.body) != string(again.body) {
			t.Errorf("first %v, again %v", first.Header, again.Header)
		}
		// Somebody who does not know the password learns nothing from somebody's key.
		in.stranger(t).do("POST", "/api/v1/sessions", object{"name": c.name, "password": "a guess"}, "Idempotency-Key: session-0001").problem(422, "idempotency_key_reused")
		var stored []byte
		if err := in.db.Pool.QueryRow(t.Context(), `SELECT reply FROM idempotency_keys WHERE scope = 'anonymous/createSession'`).Scan(&stored); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(stored), "kadr_session") {
			t.Error("the cookie lies readable in the database")
		}
	})
	t.Run("createAPIKey", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		body := object{"name": "x", "scopes": []string{"images:read"}}
		first := c.do("POST", "/api/v1/api-keys", body, "Idempotency-Key: key-00001").want(201)
		again := c.do("POST", "/api/v1/api-keys", body, "Idempotency-Key: key-00001").want(201)
		if string(first.body) != string(again.body) {
			t.Errorf("first %s, again %s", first.body, again.body)
		}
		var list api.APIKeyList
		if c.get("/api/v1/api-keys").want(200).into(&list); len(list.Items) != 1 {
			t.Errorf("%d keys", len(list.Items))
		}
		// Another account's key of the same text is another key.
		other := in.person(t)
		if r := other.do("POST", "/api/v1/api-keys", body, "Idempotency-Key: key-00001").want(201); string(r.body) == string(first.body) {
			t.Error("another account got the reply")
		}
	})
	t.Run("uploadImage", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		const key = "Idempotency-Key: upload-0001"
		picture := pngOf("idempotent", 30, 30)
		c.upload([]byte("no picture"), "", key).problem(415, "image_type_not_allowed")
		first := c.upload(picture, "?allow_duplicate=true", key).want(201) // a failure is not remembered
		again := c.upload(picture, "?allow_duplicate=true", key).want(201)
		if string(first.body) != string(again.body) || again.Header.Get("Location") != first.Header.Get("Location") {
			t.Errorf("first %s, again %s", first.body, again.body)
		}
		c.upload(pngOf("another", 30, 30), "?allow_duplicate=true", key).problem(422, "idempotency_key_reused")
		c.upload(picture, "?allow_duplicate=true&title=x", key).problem(422, "idempotency_key_reused")
		c.upload(picture, "?allow_duplicate=true&format=txt", key).problem(422, "idempotency_key_reused")
		// The same request as a form is the same request.
		if r := c.uploadForm("", field{"allow_duplicate", "", "true"}, field{"file", "", string(picture)}); r.want(201).image().ID == first.image().ID {
			t.Error("without the key it should be another picture")
		}
		if n := len(c.get("/api/v1/images").page().Items); n != 2 {
			t.Errorf("%d pictures, want 2", n)
		}
	})
	t.Run("all at once", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		picture := pngOf("at once", 300, 300)
		replies := make([]*reply, 8)
		var wg sync.WaitGroup
		for i := range replies {
			wg.Go(func() { replies[i] = c.upload(picture, "?allow_duplicate=true", "Idempotency-Key: at-once-001") })
		}
		wg.Wait()
		bodies := map[string]bool{}
		for _, r := range replies {
			switch r.StatusCode {
			case http.StatusCreated:
				bodies[string(r.body)] = true
			case http.StatusConflict:
				if r.problem(409, "idempotency_in_progress"); r.Header.Get("Retry-After") == "" {
					t.Error("a 409 should say when to try again")
				}
			default:
				t.Errorf("%d %s", r.StatusCode, r.body)
			}
		}
		if len(bodies) != 1 {
			t.Errorf("%d different replies", len(bodies))
		}
		if n := len(c.get("/api/v1/images").page().Items); n != 1 {
			t.Errorf("%d pictures, want 1", n)
		}
	})
}
