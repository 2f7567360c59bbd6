package httpapi_test

import (
	"bytes"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	api "github.com/kadr-app/kadr/gen/client"
)

// repeated is a request that may be sent again.
type repeated struct {
	c       *client
	send    func(c *client, key string) *reply // always the same request
	other   func(c *client, key string) *reply // another one of the operation; nil where there is none
	effects string                             // SQL that counts how often it was done, or a pattern of files that does
	args    []any
}

// repeatable are the operations that take an Idempotency-Key, and the one whose id stands for it. Each makes somebody new.
var repeatable = map[string]func(t *testing.T, in *instance) repeated{
	"createAccount": func(t *testing.T, in *instance) repeated {
		c := in.stranger(t)
		name := "once" + strings.ReplaceAll(strings.TrimPrefix(c.address, "10.1."), ".", "-")
		send := func(name string) func(c *client, key string) *reply {
			return func(c *client, key string) *reply {
				return c.do("POST", "/api/v1/accounts", object{"name": name, "password": password}, key)
			}
		}
		return repeated{c: c, send: send(name), other: send(name + "x"), effects: `SELECT count(*) FROM accounts WHERE name = $1`, args: []any{name}}
	},
	"createSession": func(t *testing.T, in *instance) repeated {
		name := in.person(t).name
		send := func(name string) func(c *client, key string) *reply {
			return func(c *client, key string) *reply {
				return c.do("POST", "/api/v1/sessions", object{"name": name, "password": password}, key)
			}
		}
		return repeated{
			c: in.stranger(t), send: send(name), other: send(strings.ToUpper(name[:1]) + name[1:]), args: []any{name},
			effects: `SELECT count(*) - 1 FROM sessions s JOIN accounts a ON a.id = s.account_id WHERE a.name = $1`, // less the person's own
		}
	},
	"createAPIKey": func(t *testing.T, in *instance) repeated {
		c := in.person(t)
		send := func(scope string) func(c *client, key string) *reply {
			return func(c *client, key string) *reply {
				return c.do("POST", "/api/v1/api-keys", object{"name": "once", "scopes": []string{scope}}, key)
			}
		}
		return repeated{
			c: c, send: send("images:read"), other: send("images:write"), args: []any{c.name},
			effects: `SELECT count(*) FROM api_keys k JOIN accounts a ON a.id = k.account_id WHERE a.name = $1`,
		}
	},
	"uploadImage": func(t *testing.T, in *instance) repeated {
		c := in.person(t)
		picture := pngOf("once", 40, 40)
		send := func(query string) func(c *client, key string) *reply {
			return func(c *client, key string) *reply { return c.upload(picture, "?allow_duplicate=true"+query, key) }
		}
		return repeated{c: c, send: send(""), other: send("&title=x"), effects: countImagesSQL, args: []any{c.name}}
	},
	"createUpload": func(t *testing.T, in *instance) repeated {
		c := in.person(t)
		var a api.Account
		c.get("/api/v1/account").want(200).into(&a)
		send := func(size int) func(c *client, key string) *reply {
			return func(c *client, key string) *reply {
				return c.do("POST", "/api/v1/uploads", object{"size": size}, key)
			}
		}
		return repeated{c: c, send: send(10), other: send(11), effects: filepath.Join(in.dir, "uploads", a.ID, "*")}
	},
	"bulkUpdateImages": func(t *testing.T, in *instance) repeated {
		c := in.person(t)
		img := c.stored(pngOf("bulk once", 9, 9), "")
		send := func(visibility string) func(c *client, key string) *reply {
			return func(c *client, key string) *reply {
				return c.do("POST", "/api/v1/images/bulk", object{"action": "set_visibility", "visibility": visibility, "ids": []string{img.ID}}, key)
			}
		}
		return repeated{c: c, send: send("private"), other: send("public"), effects: `SELECT revision - 1 FROM images WHERE id = $1`, args: []any{img.ID}}
	},
	"completeUpload": func(t *testing.T, in *instance) repeated {
		c := in.person(t)
		id := c.arrived(pngOf("completed once", 60, 60))
		return repeated{
			c: c, send: func(c *client, _ string) *reply { return c.complete(id, object{"allow_duplicate": true}) },
			effects: countImagesSQL, args: []any{c.name},
		}
	},
}

const countImagesSQL = `SELECT count(*) FROM images WHERE account_name = $1`

func (r repeated) done() int {
	r.c.t.Helper()
	var n int
	if r.args == nil {
		files, err := filepath.Glob(r.effects)
		if err != nil {
			r.c.t.Fatal(err)
		}
		return len(files)
	}
	if err := r.c.in.db.Pool.QueryRow(r.c.t.Context(), r.effects, r.args...).Scan(&n); err != nil {
		r.c.t.Fatal(err)
	}
	return n
}

// same reports whether two replies are the same but for what belongs to each by itself.
func (r *reply) same(other *reply) bool {
	rest := func(r *reply) http.Header {
		h := r.Header.Clone()
		for _, name := range []string{"Date", "X-Request-Id", "Ratelimit", "Ratelimit-Policy"} {
			h.Del(name)
		}
		return h
	}
	return r.StatusCode == other.StatusCode && bytes.Equal(r.body, other.body) &&
		maps.EqualFunc(rest(r), rest(other), func(a, b []string) bool { return slices.Equal(a, b) })
}

// Every operation that changes something by POST can be repeated: with a key, or because it is as it is.
func TestContractOfIdempotency(t *testing.T) {
	t.Parallel()
	without := []string{
		"completeUpload",                         // the upload's id is the key
		"createImageVariants", "createImageLink", // nothing is kept of the links that they hand out
	}
	for _, op := range operations(t) {
		takesKey := op.Parameters.GetByInAndName("header", "Idempotency-Key") != nil
		if op.method == http.MethodPost && takesKey == slices.Contains(without, op.OperationID) {
			t.Errorf("%s: takes a key: %t", op.OperationID, takesKey)
		}
		if takesKey && repeatable[op.OperationID] == nil {
			t.Errorf("%s takes a key, and is not tested", op.OperationID)
		}
	}
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	for op, prepare := range repeatable {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			r := prepare(t, in)
			key := "Idempotency-Key: " + op + "-0001"
			first := r.send(r.c, key)
			again := r.send(r.c.at(in), key)
			if first.StatusCode/100 != 2 || !first.same(again) || first.Header.Get("X-Request-Id") == again.Header.Get("X-Request-Id") {
				t.Errorf("first %d %v %s, again %d %v %s", first.StatusCode, first.Header, first.body, again.StatusCode, again.Header, again.body)
			}
			if n := r.done(); n != 1 {
				t.Errorf("it was done %d times", n)
			}
			if r.other == nil {
				return
			}
			r.other(r.c, key).problem(422, "idempotency_key_reused")
			var rows []string
			if err := in.db.Pool.QueryRow(t.Context(), `SELECT array_agg(encode(key_hash || fingerprint || reply, 'escape')) FROM idempotency_keys
				WHERE scope LIKE '%/' || $1`, op).Scan(&rows); err != nil {
				t.Fatal(err)
			}
			if len(rows) != 1 || strings.Contains(rows[0], op) || strings.Contains(rows[0], `"id"`) || strings.Contains(rows[0], "kadr_") {
				t.Errorf("the database can be read: %q", rows)
			}
			// Another account's key of the same text is another key. Strangers have theirs in common.
			if op != "createAccount" && op != "createSession" {
				theirs := prepare(t, in)
				if got := theirs.send(theirs.c, key); got.StatusCode != first.StatusCode || theirs.done() != 1 {
					t.Errorf("somebody else with the same key: %d %s", got.StatusCode, got.body)
				}
			}
			if _, err := in.db.Pool.Exec(t.Context(), `UPDATE idempotency_keys SET created_at = now() - interval '24 hours' WHERE scope LIKE '%/' || $1`, op); err != nil {
				t.Fatal(err)
			}
			if got := r.other(r.c, key); got.StatusCode != first.StatusCode {
				t.Errorf("after a day: %d %s", got.StatusCode, got.body)
			}
		})
	}
}

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	t.Run("form", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		send := func(headers ...string) *reply {
			return c.do("POST", "/api/v1/uploads", object{"size": 1}, headers...)
		}
		for _, n := range []int{8, 128} {
			send("Idempotency-Key: " + strings.Repeat("k", n)).want(201)
		}
		send(`Idempotency-Key: "8e03978e-40d5-43e8-bc93-6894a57f9324"`).want(201) // as RFC 8941 writes it
		for _, key := range []string{strings.Repeat("k", 7), strings.Repeat("k", 129), "with a space", "schlüssel-01", ""} {
			if r := send("Idempotency-Key: " + key); r.StatusCode != http.StatusBadRequest || !bytes.Contains(r.body, []byte(`"Idempotency-Key"`)) {
				t.Errorf("%q: %d %s", key, r.StatusCode, r.body)
			}
		}
		send("Idempotency-Key: twice-00001", "Idempotency-Key: twice-00002").fault("-Idempotency-Key", "pattern")
	})
	t.Run("a failure is not remembered", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		const key = "Idempotency-Key: failure-0001"
		c.upload([]byte("no picture"), "", key).problem(415, "image_type_not_allowed")
		picture := pngOf("after a failure", 30, 30)
		c.upload(picture, "", key).want(201)
		c.upload(pngOf("another", 30, 30), "", key).problem(422, "idempotency_key_reused")
		c.upload(picture, "?format=txt", key).problem(422, "idempotency_key_reused")
	})
	t.Run("somebody's key tells nothing", func(t *testing.T) {
		t.Parallel()
		r := repeatable["createSession"](t, in)
		const key = "Idempotency-Key: session-0002"
		r.send(r.c, key).want(201)
		in.stranger(t).do("POST", "/api/v1/sessions", object{"name": r.args[0], "password": "a guess"}, key).problem(422, "idempotency_key_reused")
	})
	t.Run("what was deleted stays deleted", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		ids := []string{c.stored(pngOf("lost 1", 9, 9), "").ID, absentID, c.stored(pngOf("lost 2", 9, 9), "").ID}
		send := func(headers ...string) *reply {
			return c.do("POST", "/api/v1/images/bulk", object{"action": "delete", "ids": ids}, headers...).want(200)
		}
		const key = "Idempotency-Key: deleted-0001"
		first := send(key)
		if again := send(key); !first.same(again) || bytes.Count(first.body, []byte(`"deleted"`)) != 2 {
			t.Errorf("first %s, again %s", first.body, again.body)
		}
		if plain := send(); bytes.Count(plain.body, []byte(`"not_found"`)) != 3 {
			t.Errorf("without the key %s", plain.body)
		}
	})
}

// Of any number of the same requests at once, by two servers, one does it, and all get its reply: at once, or when they ask again.
func TestIdempotencyRace(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	servers := []*instance{in, in.replica(t)}
	for op, prepare := range repeatable {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			r := prepare(t, in)
			key := "Idempotency-Key: race-" + op
			replies := make([]*reply, 32)
			var wg sync.WaitGroup
			for i := range replies {
				c := r.c.at(servers[i%2])
				wg.Go(func() {
					for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
						got := r.send(c, key)
						replies[i] = got
						if _, limited := guessable[op]; limited && got.StatusCode == http.StatusTooManyRequests {
							continue // each counts until it is known to be no guess
						}
						if got.StatusCode != http.StatusConflict {
							return
						}
						if got.Header.Get("Retry-After") != "1" || !bytes.Contains(got.body, []byte("idempotency_in_progress")) && !bytes.Contains(got.body, []byte("upload_completing")) {
							t.Errorf("%v %s", got.Header, got.body)
						}
					}
				})
			}
			wg.Wait()
			for _, got := range replies {
				if got.StatusCode/100 != 2 || !got.same(replies[0]) {
					t.Errorf("%d %v %s, and another %d %v %s", got.StatusCode, got.Header, got.body, replies[0].StatusCode, replies[0].Header, replies[0].body)
				}
			}
			if n := r.done(); n != 1 {
				t.Errorf("it was done %d times", n)
			}
		})
	}
}

// A request that takes longer than a server may be silent is not run a second time meanwhile.
func TestIdempotencyOfSlowRequest(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	r := repeatable["createAPIKey"](t, in)
	const key = "Idempotency-Key: slow-00001"
	lock, err := in.db.Pool.Begin(t.Context())
	if err == nil {
		_, err = lock.Exec(t.Context(), `SELECT FROM accounts FOR UPDATE`) // which a new key has to wait for
	}
	if err != nil {
		t.Fatal(err)
	}
	first := make(chan *reply)
	go func() { first <- r.send(r.c, key) }()
	eventually(t, "it is at work", func() bool {
		var n int
		err := lock.QueryRow(t.Context(), `SELECT count(*) FROM idempotency_keys`).Scan(&n)
		return err == nil && n == 1
	})
	there := r.c.at(in.replica(t))
	for begun := time.Now(); time.Since(begun) < 12*time.Second; time.Sleep(500 * time.Millisecond) {
		r.send(there, key).problem(409, "idempotency_in_progress")
	}
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := <-first; got.StatusCode != http.StatusCreated || !got.same(r.send(there, key)) {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	if n := r.done(); n != 1 {
		t.Errorf("it was done %d times", n)
	}
}
