package postgres

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/account"
)

func TestTakeAttempt(t *testing.T) {
	t.Parallel()
	db := openTest(t, Options{})
	s := NewAccountStore(db)
	limit := account.Limit{Name: "name", Quota: 3, Window: 30 * time.Minute}
	take := func(key string) account.LimitState {
		t.Helper()
		state, err := s.TakeAttempt(t.Context(), key, limit)
		if err != nil {
			t.Fatal(err)
		}
		return state
	}
	near := func(got, want time.Duration) bool { return got <= want && got > want-time.Minute }
	for i := range 3 {
		if got := take("a"); !got.Allowed || got.Remaining != 2-i || !near(got.Next, 10*time.Minute) {
			t.Errorf("attempt %d: %+v", i, got)
		}
	}
	for range 3 { // being refused costs nothing more
		if got := take("a"); got.Allowed || got.Remaining != 0 || !near(got.Next, 10*time.Minute) {
			t.Errorf("over the limit: %+v", got)
		}
	}
	if got := take("b"); !got.Allowed {
		t.Errorf("another key: %+v", got)
	}
	for key, remaining := range map[string]int{"a": 0, "b": 2, "nobody's": 3} { // looking costs nothing
		for range 2 {
			got, err := s.LimitState(t.Context(), key, limit)
			if err != nil || got.Remaining != remaining || !near(got.Next, 10*time.Minute) {
				t.Errorf("%s stands at %+v, %v", key, got, err)
			}
		}
	}
	if err := s.ReturnAttempt(t.Context(), "a", limit); err != nil {
		t.Fatal(err)
	}
	if got := take("a"); !got.Allowed || got.Remaining != 0 {
		t.Errorf("after one was returned: %+v", got)
	}
	exec(t, db, `UPDATE rate_limits SET tat = tat - interval '10 minutes' WHERE key = 'a'`) // as time would
	if got := take("a"); !got.Allowed {
		t.Errorf("after ten minutes: %+v", got)
	}
	exec(t, db, `UPDATE rate_limits SET tat = now() - interval '1 year' WHERE key = 'a'`)
	for i := range 4 { // idle time is not saved up
		if got := take("a"); got.Allowed != (i < 3) {
			t.Errorf("attempt %d after a year: %+v", i, got)
		}
	}
	for range 5 {
		if err := s.ReturnAttempt(t.Context(), "b", limit); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4 { // nor is what was given back too often
		if got := take("b"); got.Allowed != (i < 3) {
			t.Errorf("attempt %d after many returns: %+v", i, got)
		}
	}
}

func TestTakeAttemptRace(t *testing.T) {
	t.Parallel()
	url := openTest(t, Options{}).pool.Config().ConnString()
	var replicas []*AccountStore
	for range 2 {
		db, err := Open(t.Context(), url, Options{MaxConns: 8})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		replicas = append(replicas, NewAccountStore(db))
	}
	limit := account.Limit{Name: "name", Quota: 10, Window: time.Hour}
	var allowed atomic.Int32
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			state, err := replicas[i%2].TakeAttempt(t.Context(), "a", limit)
			switch {
			case err != nil:
				t.Error(err)
			case state.Allowed:
				allowed.Add(1)
			case state.Next <= 0 || state.Next > time.Hour:
				t.Errorf("come back after %v", state.Next)
			}
		})
	}
	wg.Wait()
	if allowed.Load() != 10 {
		t.Errorf("%d of 10 attempts passed", allowed.Load())
	}
}
