package httpapi_test

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// limit is one of the limits in a reply's headers; t and w are zero where there are none.
type limit struct{ q, w, r, t int }

var limitItem = regexp.MustCompile(`^("[a-z-]+");(q|r)=(\d+)(?:;(?:w|t)=(\d+))?$`)

// limits reads the reply's headers, by the policies' names.
func (r *reply) limits() map[string]limit {
	r.t.Helper()
	all := map[string]limit{}
	for _, name := range []string{"RateLimit-Policy", "RateLimit"} {
		if r.Header.Get(name) == "" {
			continue
		}
		for item := range strings.SplitSeq(r.Header.Get(name), ", ") {
			m := limitItem.FindStringSubmatch(item)
			if m == nil {
				r.t.Fatalf("%s: %s", name, r.Header.Get(name))
			}
			l := all[m[1]]
			n, _ := strconv.Atoi(m[3])
			seconds, _ := strconv.Atoi(m[4])
			if m[2] == "q" {
				l.q, l.w = n, seconds
			} else {
				l.r, l.t = n, seconds
			}
			all[m[1]] = l
		}
	}
	return all
}

// An operation that is limited says so wherever it may have to.
func TestContractOfLimits(t *testing.T) {
	t.Parallel()
	var limited []string
	for _, op := range operations(t) {
		isLimited := false
		for status, response := range op.Responses.Map() {
			if status[0] == '2' && response.Value.Headers["RateLimit"] != nil {
				isLimited = true
			}
		}
		for status, response := range op.Responses.Map() {
			h := response.Value.Headers
			if isLimited && (h["RateLimit"] == nil || h["RateLimit-Policy"] == nil) {
				t.Errorf("%s is limited, and does not say so with %s", op.OperationID, status)
			}
			if status == "429" && (h["Retry-After"] == nil || h["RateLimit"] == nil || h["RateLimit-Policy"] == nil) {
				t.Errorf("%s: 429 does not say when to come back", op.OperationID)
			}
		}
		if isLimited {
			limited = append(limited, op.OperationID)
		}
	}
	if want := []string{"createAccount", "createSession", "createUpload", "updateAccount"}; !slices.Equal(limited, want) {
		t.Errorf("%v are limited in the contract, and %v in this test", limited, want)
	}
}

// What remains goes down by one with each request, and as many as the quota says pass, also when all come at once, to two servers.
func TestLimitsCountDown(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	servers := []*instance{in, in.replica(t)}
	taken := in.person(t)
	for name, tc := range map[string]struct {
		c      *client
		send   func(c *client) *reply
		passes int // the status
		policy string
		limit  limit
		code   string
	}{
		"registering": {
			c: in.stranger(t), passes: 409, policy: `"address"`, limit: limit{q: 10, w: 3600, t: 360}, code: "rate_limited",
			send: func(c *client) *reply {
				return c.do("POST", "/api/v1/accounts", object{"name": taken.name, "password": password})
			},
		},
		"beginning uploads": {
			c: in.person(t), passes: 201, policy: `"unfinished-uploads"`, limit: limit{q: 32}, code: "too_many_uploads",
			send: func(c *client) *reply { return c.do("POST", "/api/v1/uploads", object{"size": 1}) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := tc.c.as(t)
			c.address = tc.c.address
			left := tc.limit.q
			check := func(r *reply) limit {
				got := r.limits()[tc.policy]
				if got.q != tc.limit.q || got.w != tc.limit.w || got.t > tc.limit.t || got.t < tc.limit.t-60 {
					t.Errorf("%d: %+v", r.StatusCode, got)
				}
				return got
			}
			for range 3 {
				left--
				if got := check(tc.send(c).want(tc.passes)); got.r != left {
					t.Errorf("%d remain, want %d", got.r, left)
				}
			}
			var mu sync.Mutex
			remaining, refused := map[int]int{}, 0
			var wg sync.WaitGroup
			for i := range left + 8 {
				c := c.at(servers[i%2])
				wg.Go(func() {
					r := tc.send(c)
					got := check(r)
					mu.Lock()
					defer mu.Unlock()
					if r.StatusCode == tc.passes {
						remaining[got.r]++
						return
					}
					refused++
					r.problem(429, tc.code)
					if after, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || got.r != 0 || got.t > 0 && after != got.t {
						t.Errorf("Retry-After %q with %+v", r.Header.Get("Retry-After"), got)
					}
				})
			}
			wg.Wait()
			for n := range left {
				if remaining[n] != 1 {
					t.Errorf("%d heard that %d remain", remaining[n], n)
				}
			}
			if refused != 8 || len(remaining) != left {
				t.Errorf("%d were refused, and others heard %v", refused, slices.Sorted(maps.Keys(remaining)))
			}
		})
	}
}

// Who waits as long as Retry-After says gets through, and who does not does not; and then one more remains, as t says.
func TestRetryAfterIsTrue(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		key, policy string
		window      string // of the limit
		quota       int
		send        func(c *client) *reply
	}{
		"createAccount": {"register/address/%", `"address"`, "1 hour", 10, func(c *client) *reply {
			return c.do("POST", "/api/v1/accounts", object{"name": c.name, "password": password})
		}},
		"createSession, by address": {"sign_in/address/%", `"address"`, "10 minutes", 30, func(c *client) *reply {
			return c.do("POST", "/api/v1/sessions", object{"name": "nobody", "password": "a guess"})
		}},
		"createSession, by name": {"sign_in/name/%", `"name"`, "10 minutes", 10, func(c *client) *reply {
			return c.do("POST", "/api/v1/sessions", object{"name": "nobody", "password": "a guess"})
		}},
		"updateAccount": {"sign_in/name/%", `"name"`, "10 minutes", 10, func(c *client) *reply {
			return c.do("PATCH", "/api/v1/account", object{"password": "another private sentence", "current_password": "a guess"})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := newInstance(t)
			c := in.person(t)
			if got := tc.send(c).limits()[tc.policy]; got.q != tc.quota || got.r != tc.quota-1 || got.t < 1 {
				t.Fatalf("at first %+v", got)
			}
			// As if the whole quota had been used, and most of the time until the next had gone by.
			full := time.Now()
			if _, err := in.db.Pool.Exec(t.Context(), `UPDATE rate_limits SET tat = now() + $2::text::interval * (1 - 1.0 / $3::int) + interval '2.5 seconds'
				WHERE key LIKE $1`, tc.key, tc.window, tc.quota); err != nil {
				t.Fatal(err)
			}
			r := tc.send(c)
			heard := time.Now()
			r.problem(429, "rate_limited")
			after, err := strconv.Atoi(r.Header.Get("Retry-After"))
			if got := r.limits()[tc.policy]; err != nil || after < 1 || after > 3 || got.r != 0 || got.t != after {
				t.Fatalf("Retry-After %q with %+v", r.Header.Get("Retry-After"), got)
			}
			time.Sleep(time.Until(heard.Add(time.Duration(after-1) * time.Second)))
			if r := tc.send(c); time.Since(full) < 2400*time.Millisecond { // or else the machine is too slow to tell
				r.problem(429, "rate_limited")
			}
			time.Sleep(time.Until(heard.Add(time.Duration(after) * time.Second)))
			if r := tc.send(c); r.StatusCode == http.StatusTooManyRequests {
				t.Errorf("after %d seconds: %d %s", after, r.StatusCode, r.body)
			} else if got := r.limits()[tc.policy]; got.r != 0 || got.t < 10 {
				t.Errorf("after that %+v", got)
			}
			// t: that long what remains has to do, and then there is one more.
			got := tc.send(c).limits()[tc.policy]
			if _, err := in.db.Pool.Exec(t.Context(), `UPDATE rate_limits SET tat = tat - make_interval(secs => $1)`, got.t); err != nil {
				t.Fatal(err)
			}
			if r := tc.send(c); r.StatusCode == http.StatusTooManyRequests {
				t.Errorf("after t seconds: %d %s", r.StatusCode, r.body)
			}
		})
	}
}

// Whatever a limited operation answers says how its limits stand, and what was refused before it was tried counts for nothing.
func TestRefusalsSayHowLimitsStand(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	for name, tc := range map[string]struct {
		path, policy string
		limit        limit
		c            *client
		good         object
	}{
		"createAccount": {"/api/v1/accounts", `"address"`, limit{q: 10, w: 3600, r: 10, t: 360}, in.stranger(t), object{"name": "refusals", "password": password}},
		"createSession": {"/api/v1/sessions", `"address"`, limit{q: 30, w: 600, r: 30, t: 20}, in.stranger(t), object{"name": in.person(t).name, "password": password}},
		"createUpload":  {"/api/v1/uploads", `"unfinished-uploads"`, limit{q: 32, r: 32}, in.person(t), object{"size": 5}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := tc.c.as(t)
			for what, r := range map[string]*reply{
				"an unknown field": c.do("POST", tc.path, object{"x": 1}),
				"no JSON":          c.do("POST", tc.path, "{"),
				"no body":          c.do("POST", tc.path, nil),
				"an unknown query": c.do("POST", tc.path+"?x=1", tc.good),
				"another type":     c.do("POST", tc.path, "<a/>", "Content-Type: text/xml"),
				"too much":         c.do("POST", tc.path, `{"name":"`+strings.Repeat("x", 2<<20)+`"}`),
				"another site":     c.do("POST", tc.path, tc.good, "Sec-Fetch-Site: cross-site", "Origin: https://other.example"),
				"a bad key":        c.do("POST", tc.path, tc.good, "Idempotency-Key: short"),
			} {
				if r.StatusCode < 400 || r.StatusCode >= 500 {
					t.Errorf("%s: %d", what, r.StatusCode)
				}
				if got := r.limits()[tc.policy]; got != tc.limit && (name != "createUpload" || r.StatusCode != http.StatusForbidden) {
					t.Errorf("%s: %d with %+v, want %+v", what, r.StatusCode, got, tc.limit)
				}
			}
			// A reply that is given again says how the limits stand now. It is not counted.
			key := "Idempotency-Key: limits-" + name
			first := c.do("POST", tc.path, tc.good, key).want(201).limits()[tc.policy]
			if first.r != tc.limit.r-1 {
				t.Errorf("at first %+v", first)
			}
			if second := c.do("POST", tc.path, tc.good).limits()[tc.policy]; second.r != tc.limit.r-2 {
				t.Errorf("without the key %+v", second)
			}
			if again := c.do("POST", tc.path, tc.good, key).want(201).limits()[tc.policy]; again.r != tc.limit.r-2 {
				t.Errorf("the same reply again says %+v", again)
			}
		})
	}
	if r := in.stranger(t).do("POST", "/api/v1/uploads", object{"size": 1}).want(401); len(r.limits()) != 0 {
		t.Errorf("nobody's limits are %v", r.limits())
	}
}
