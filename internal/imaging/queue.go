package imaging

import (
	"container/list"
	"context"
	"slices"
	"sync"
)

// queue hands out a fixed number of slots, first come first served, and bounds how many may wait.
type queue struct {
	mu      sync.Mutex
	idle    []*slot    // the last one used is the first one taken: its memory is warm
	waiting *list.List // of chan *slot, each with room for one
	limit   int
	closed  bool
}

func newQueue(slots []*slot, limit int) *queue {
	return &queue{idle: slices.Clone(slots), waiting: list.New(), limit: limit}
}

// acquire returns a slot, at once or after waiting. It fails with ErrBusy at once when too many wait already, with
// ErrClosed, or with the context's error, having left the queue.
func (q *queue) acquire(ctx context.Context) (*slot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return nil, ErrClosed
	}
	if n := len(q.idle); n > 0 {
		s := q.idle[n-1]
		q.idle = q.idle[:n-1]
		q.mu.Unlock()
		return s, nil
	}
	if q.waiting.Len() >= q.limit {
		q.mu.Unlock()
		return nil, ErrBusy.After(busyRetryAfter)
	}
	ready := make(chan *slot, 1)
	place := q.waiting.PushBack(ready)
	q.mu.Unlock()

	select {
	case s, ok := <-ready:
		if !ok {
			return nil, ErrClosed
		}
		return s, nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	q.waiting.Remove(place)
	q.mu.Unlock()
	select {
	case s, ok := <-ready: // it came at the same moment
		if ok {
			q.release(s)
		}
	default:
	}
	return nil, ctx.Err()
}

// release gives the slot to who has waited longest.
func (q *queue) release(s *slot) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if first := q.waiting.Front(); first != nil {
		q.waiting.Remove(first).(chan *slot) <- s
		return
	}
	q.idle = append(q.idle, s)
}

// close sends everybody who waits away.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for e := q.waiting.Front(); e != nil; e = e.Next() {
		close(e.Value.(chan *slot))
	}
	q.waiting.Init()
}

func (q *queue) counts() (idle, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.idle), q.waiting.Len()
}
