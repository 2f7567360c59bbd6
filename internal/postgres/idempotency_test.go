package postgres

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
)

func TestIdempotency(t *testing.T) {
	t.Parallel()
	db := openTest(t, Options{})
	s := NewIdempotencyStore(db)
	key, print, other := []byte("key"), []byte("print"), []byte("other")
	var mine time.Time // the last claim
	claim := func(scope string, print []byte) (bool, string, error) {
		t.Helper()
		claimed, reply, err := s.Claim(t.Context(), scope, key, print, time.Minute)
		if (reply == nil) != (!claimed.IsZero() || err != nil) {
			t.Errorf("claimed %v with reply %q and %v", claimed, reply, err)
		}
		if scope == "a" && !claimed.IsZero() {
			mine = claimed
		}
		return !claimed.IsZero(), string(reply), err
	}
	want := func(what string, claimed bool, reply string, wantErr *apperr.Error, print []byte) {
		t.Helper()
		gotClaimed, gotReply, err := claim("a", print)
		if gotClaimed != claimed || gotReply != reply || (wantErr == nil) != (err == nil) || wantErr != nil && !errors.Is(err, wantErr) {
			t.Errorf("%s: %v, %q, %v", what, gotClaimed, gotReply, err)
		}
	}
	want("the first", true, "", nil, print)
	want("while it is at work", false, "", ErrIdempotencyInProgress, print)
	want("another request", false, "", ErrIdempotencyMismatch, other)
	if claimed, _, err := claim("b", other); !claimed || err != nil {
		t.Errorf("another scope: %v, %v", claimed, err)
	}
	if err := s.Release(t.Context(), "a", key, mine); err != nil {
		t.Fatal(err)
	}
	want("after a failure", true, "", nil, other)
	if err := s.Complete(t.Context(), "a", key, mine, nil); err != nil {
		t.Fatal(err)
	}
	want("an empty reply", false, "", nil, other)
	exec(t, db, `DELETE FROM idempotency_keys`)
	want("the first", true, "", nil, print)
	if err := s.Complete(t.Context(), "a", key, mine, []byte("reply")); err != nil {
		t.Fatal(err)
	}
	want("the reply", false, "reply", nil, print)
	want("another request after the reply", false, "", ErrIdempotencyMismatch, other)
	if err := s.Complete(t.Context(), "a", key, mine, []byte("late")); !errors.Is(err, ErrIdempotencyInProgress) {
		t.Errorf("a second reply: %v", err)
	}
	if err := s.Release(t.Context(), "a", key, mine); err != nil {
		t.Fatal(err)
	}
	want("the first reply stays", false, "reply", nil, print)
	exec(t, db, `UPDATE idempotency_keys SET locked_until = now() - interval '1 hour'`)
	want("a reply outlives its lock", false, "reply", nil, print)
	exec(t, db, `UPDATE idempotency_keys SET created_at = now() - interval '25 hours'`)
	want("after a day", true, "", nil, other)
}

// A claim that nobody extends any more is taken over, and what was thought dead can do no more.
func TestIdempotencyTakesOverADeadRequest(t *testing.T) {
	t.Parallel()
	db := openTest(t, Options{})
	s := NewIdempotencyStore(db)
	key, print := []byte("key"), []byte("print")
	claim := func(print []byte) (time.Time, error) {
		claimed, _, err := s.Claim(t.Context(), "a", key, print, time.Minute)
		return claimed, err
	}
	runOut := func() { exec(t, db, `UPDATE idempotency_keys SET locked_until = now()`) }
	dead, err := claim(print)
	if err != nil {
		t.Fatal(err)
	}
	runOut()
	if err := s.Extend(t.Context(), "a", key, dead, time.Minute); err != nil {
		t.Errorf("it cannot be extended: %v", err)
	}
	if _, err := claim(print); !errors.Is(err, ErrIdempotencyInProgress) {
		t.Errorf("it was taken over although it was extended: %v", err)
	}
	runOut()
	if _, err := claim([]byte("other")); !errors.Is(err, ErrIdempotencyMismatch) {
		t.Errorf("another request took it over: %v", err)
	}
	heir, err := claim(print)
	if err != nil || !heir.After(dead) {
		t.Errorf("it was not taken over: %v after %v, %v", heir, dead, err)
	}
	if _, err := claim(print); !errors.Is(err, ErrIdempotencyInProgress) {
		t.Errorf("it was taken over twice: %v", err)
	}
	for what, err := range map[string]error{
		"extends":   s.Extend(t.Context(), "a", key, dead, time.Hour),
		"completes": s.Complete(t.Context(), "a", key, dead, []byte("late")),
	} {
		if !errors.Is(err, ErrIdempotencyInProgress) {
			t.Errorf("the dead one %s: %v", what, err)
		}
	}
	if err := s.Release(t.Context(), "a", key, dead); err != nil {
		t.Error(err)
	}
	if err := s.Complete(t.Context(), "a", key, heir, []byte("reply")); err != nil {
		t.Errorf("who took over cannot complete: %v", err)
	}
}

func TestIdempotencyRace(t *testing.T) {
	t.Parallel()
	db := openTest(t, Options{MaxConns: 8})
	s := NewIdempotencyStore(db)
	for range 10 {
		exec(t, db, `DELETE FROM idempotency_keys`)
		var claims, busy, replies atomic.Int32
		start := make(chan struct{})
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				<-start
				claimed, reply, err := s.Claim(t.Context(), "a", []byte("key"), []byte("print"), time.Minute)
				switch {
				case !claimed.IsZero() && err == nil:
					claims.Add(1)
					if err := s.Complete(t.Context(), "a", []byte("key"), claimed, []byte("reply")); err != nil {
						t.Error(err)
					}
				case errors.Is(err, ErrIdempotencyInProgress):
					busy.Add(1)
				case err == nil && string(reply) == "reply":
					replies.Add(1)
				default:
					t.Errorf("reply %q, %v", reply, err)
				}
			})
		}
		close(start)
		wg.Wait()
		if claims.Load() != 1 || busy.Load()+replies.Load() != 31 {
			t.Fatalf("%d claims, %d in progress, %d replies", claims.Load(), busy.Load(), replies.Load())
		}
	}
}

// Requests that fail and are tried again, by many clients at once: never two at work.
func TestIdempotencyRaceWithReleases(t *testing.T) {
	t.Parallel()
	s := NewIdempotencyStore(openTest(t, Options{MaxConns: 8}))
	var working, runs atomic.Int32
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 10 {
				claimed, _, err := s.Claim(t.Context(), "a", []byte("key"), []byte("print"), time.Minute)
				if errors.Is(err, ErrIdempotencyInProgress) {
					continue
				}
				if err != nil || claimed.IsZero() {
					t.Errorf("claimed %v, %v", claimed, err)
					return
				}
				if working.Add(1) != 1 {
					t.Error("two are at work")
				}
				runs.Add(1)
				working.Add(-1)
				if err := s.Release(t.Context(), "a", []byte("key"), claimed); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if runs.Load() == 0 {
		t.Error("nobody was at work")
	}
}
