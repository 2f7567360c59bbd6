package httpapi_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// guessable are the operations that carry a password, each with somebody's first request. Only its name and password are
// needed to send it again.
var guessable = map[string]struct {
	path    string
	address limit // as a reply shows it when nothing counts
	person  func(t *testing.T, in *instance) string
}{
	"createAccount": {"/api/v1/accounts", limit{q: 10, w: 3600}, func(t *testing.T, in *instance) string {
		return "guessed" + strings.ReplaceAll(strings.TrimPrefix(in.stranger(t).address, "10.1."), ".", "-")
	}},
	"createSession": {"/api/v1/sessions", limit{q: 30, w: 600}, func(t *testing.T, in *instance) string {
		return in.person(t).name
	}},
}

// Whoever knows the key of somebody's request may guess at its password no more often than without.
func TestGuessingWithSomebodysKey(t *testing.T) {
	t.Parallel()
	for op, tc := range guessable {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			in := newInstance(t)
			name, key := tc.person(t, in), "Idempotency-Key: guessed-"+op
			send := func(c *client, password string) *reply {
				return c.do("POST", tc.path, object{"name": name, "password": password}, key)
			}
			theirs, other := in.stranger(t), in.stranger(t)
			first := send(theirs, password).want(201)
			for i := range 9 {
				r := send(other, "one of many guesses")
				r.problem(422, "idempotency_key_reused")
				byAddress, byName := r.limits()[`"address"`], r.limits()[`"name"`]
				if byAddress.q != tc.address.q || byAddress.w != tc.address.w || byAddress.r != tc.address.q-1-i || byName.q != 10 || byName.r != 9-i {
					t.Errorf("guess %d: %+v", i, r.limits())
				}
			}
			// The right one is worth nothing to count, and says so.
			r := send(other, password)
			if got := r.limits()[`"address"`]; !r.same(first) || got.r != tc.address.q-9 {
				t.Errorf("the first reply again: %d %s, %+v", r.StatusCode, r.body, r.limits())
			}
			send(other, "one of many guesses").problem(422, "idempotency_key_reused")
			// Now the right one cannot be told from a wrong one: not from there, and by the name's limit not from anywhere.
			for _, c := range []*client{other, in.stranger(t), theirs} {
				for _, p := range []string{"one of many guesses", password} {
					r := send(c, p)
					r.problem(429, "rate_limited")
					refused := false
					for _, l := range r.limits() {
						refused = refused || l.r == 0
					}
					if !refused || r.Header.Get("Retry-After") == "" || r.Header.Get("Set-Cookie") != "" {
						t.Errorf("over the limit: %v", r.Header)
					}
				}
			}
			if _, err := in.db.Pool.Exec(t.Context(), `UPDATE rate_limits SET tat = tat - interval '1 hour'`); err != nil { // as time would
				t.Fatal(err)
			}
			if r := send(theirs, password); !r.same(first) {
				t.Errorf("later the first reply again: %d %s", r.StatusCode, r.body)
			}
		})
	}
}

// Of many guesses at once, with the right one among them, no more are compared than the limits allow.
func TestGuessingAtOnceWithSomebodysKey(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	servers := []*instance{in, in.replica(t)}
	for op, tc := range guessable {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			name, key := tc.person(t, in), "Idempotency-Key: at-once-"+op
			in.stranger(t).do("POST", tc.path, object{"name": name, "password": password}, key).want(201)
			var compared atomic.Int32
			var wg sync.WaitGroup
			for i := range 64 {
				c, guess := servers[i%2].stranger(t), "one of many guesses"
				if i == 40 {
					guess = password
				}
				wg.Go(func() {
					if r := c.do("POST", tc.path, object{"name": name, "password": guess}, key); r.StatusCode != http.StatusTooManyRequests {
						compared.Add(1)
					}
				})
			}
			wg.Wait()
			if n := compared.Load(); n < 10 || n > 11 { // a right one comes back
				t.Errorf("%d were compared", n)
			}
		})
	}
}

// Whoever has the right password may ask for the first reply as often as they like.
func TestRepeatingIsNoGuessing(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	for op, tc := range guessable {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			c, body := in.stranger(t), object{"name": tc.person(t, in), "password": password}
			send := func() *reply { return c.do("POST", tc.path, body, "Idempotency-Key: repeated-"+op) }
			first := send().want(201)
			for range tc.address.q + 1 {
				if r := send(); !r.same(first) || r.limits()[`"address"`].r != tc.address.q-1 {
					t.Fatalf("%d %s, %+v", r.StatusCode, r.body, r.limits())
				}
			}
		})
	}
}

// A repetition tells what happened at first. It does not sign in a second time whoever has signed out since.
func TestRepeatedSignInAfterSigningOut(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	name, c := in.person(t).name, in.stranger(t)
	send := func() *reply {
		return c.do("POST", "/api/v1/sessions", object{"name": name, "password": password}, "Idempotency-Key: signed-out-0001")
	}
	first := send().want(201)
	c.do("DELETE", "/api/v1/sessions/current", nil).want(204)
	if r := send(); !r.same(first) {
		t.Errorf("%d %v %s", r.StatusCode, r.Header, r.body)
	}
	c.get("/api/v1/account").problem(401, "unauthenticated")
}
