package httpapi

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// Whoever asks gets what was read after they asked, however much is shared.
func TestFlightsAreNeverStale(t *testing.T) {
	t.Parallel()
	g := &flights{byKey: map[string]*flight{}}
	var state, runs atomic.Int64
	work := func(context.Context) ([]byte, error) {
		runs.Add(1)
		return []byte(strconv.FormatInt(state.Load(), 10)), nil
	}
	const clients, requests = 32, 200
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for range requests {
				before := state.Add(1)
				b, err := g.do(t.Context(), "page", work)
				if err != nil {
					t.Error(err)
					return
				}
				if seen, err := strconv.ParseInt(string(b), 10, 64); err != nil || seen < before {
					t.Errorf("asked at %d, answered with %s", before, b)
				}
			}
		})
	}
	wg.Wait()
	if n := runs.Load(); n < 1 || n > clients*requests {
		t.Errorf("%d runs for %d requests", n, clients*requests)
	}
	if len(g.byKey) != 0 {
		t.Errorf("%d flights are left", len(g.byKey))
	}
}

func TestFlightsShareAndDoNotWaitForTheGone(t *testing.T) {
	t.Parallel()
	g := &flights{byKey: map[string]*flight{}}
	entered, leave := make(chan struct{}, 2), make(chan struct{})
	var runs atomic.Int64
	work := func(ctx context.Context) ([]byte, error) {
		runs.Add(1)
		entered <- struct{}{}
		<-leave
		return []byte("page"), ctx.Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := g.do(ctx, "page", work); !errors.Is(err, context.Canceled) {
			t.Errorf("the one that went away got %v", err)
		}
	})
	<-entered
	for range 10 { // all of them came after the first run began, and share the second
		f := g.join("page", nil)
		wg.Go(func() {
			<-f.done
			if string(f.result) != "page" || f.err != nil {
				t.Errorf("got %q, %v", f.result, f.err)
			}
		})
	}
	cancel()
	close(leave)
	wg.Wait()
	if n := runs.Load(); n != 2 {
		t.Errorf("%d runs", n)
	}
}

func TestFlightSurvivesAPanic(t *testing.T) {
	t.Parallel()
	g := &flights{byKey: map[string]*flight{}}
	if _, err := g.do(t.Context(), "page", func(context.Context) ([]byte, error) { panic("oh") }); err == nil {
		t.Error("a panic was no error")
	}
	if b, err := g.do(t.Context(), "page", func(context.Context) ([]byte, error) { return []byte("page"), nil }); string(b) != "page" || err != nil {
		t.Errorf("afterwards: %q, %v", b, err)
	}
}
