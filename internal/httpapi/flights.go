package httpapi

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// flights lets requests for the same page share the work. It differs from x/sync/singleflight in whom it lets share: only
// requests that came before the work began. So what a request is answered with was read after it came, and a picture that
// was deleted before is not in it, just as if every request had done the work by itself.
type flights struct {
	mu    sync.Mutex
	byKey map[string]*flight
}

// flight is one run of the work, and those that wait for it.
type flight struct {
	started bool
	next    *flight // for those that came after it started
	done    chan struct{}
	result  []byte
	err     error
}

// do returns what work returns for the key, from a run that began after do was called. The work goes on when ctx ends, since
// others may wait for it; it has to bound itself.
func (g *flights) do(ctx context.Context, key string, work func(context.Context) ([]byte, error)) ([]byte, error) {
	f := g.join(key, func(f *flight) {
		defer func() { // no middleware stands around this goroutine
			if r := recover(); r != nil {
				f.err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
			}
		}()
		f.result, f.err = work(context.WithoutCancel(ctx))
	})
	select {
	case <-f.done:
		return f.result, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (g *flights) join(key string, run func(*flight)) *flight {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.byKey[key]
	switch {
	case f == nil:
		f = &flight{done: make(chan struct{})}
		g.byKey[key] = f
		go g.fly(key, f, run)
	case f.started && f.next == nil:
		f.next = &flight{done: make(chan struct{})}
		f = f.next
	case f.started:
		f = f.next
	}
	return f
}

// fly runs one flight after the other until nobody waits.
func (g *flights) fly(key string, f *flight, run func(*flight)) {
	for f != nil {
		g.mu.Lock()
		f.started = true
		g.mu.Unlock()
		run(f)
		g.mu.Lock()
		if f.next == nil {
			delete(g.byKey, key)
		} else {
			g.byKey[key] = f.next
		}
		finished := f
		f = f.next
		g.mu.Unlock()
		close(finished.done)
	}
}
