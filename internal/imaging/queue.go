package imaging

import (
	"container/list"
	"context"
	"iter"
	"slices"
	"sync"
	"time"
)

const (
	// fairTurn: every fourth slot goes to who has waited longest, whatever the priority, so that nobody waits for ever.
	fairTurn = 4
	// maxPassed is how many small requests may go past one that waits for memory. Then no slot is handed out until it fits.
	maxPassed = 16
	// lightShare: what takes at most this part of the memory budget is small enough to go past such a one.
	lightShare = 16
	// backgroundShare: requests in the background find the queue full at this part of its bounds.
	backgroundShare = 4

	minRetryAfter = time.Second
	maxRetryAfter = 30 * time.Second
)

// demand is what the queue has to know of a request.
type demand struct {
	priority Priority
	cost     time.Duration // how long it will probably hold a slot
	memory   int64         // how many bytes it will probably take at its peak
}

// grant is a slot on loan, to be given back with release.
type grant struct {
	*slot
	demand demand
}

// waiter is a request that waits. Its memory is cut to the budget, so that it fits at least where nothing else runs.
type waiter struct {
	demand
	ready   chan grant // with room for one; closed with the queue
	arrival uint64
	place   *list.Element
	passed  int // how many went past it because it waits for memory
}

// bounds say how much may wait in a queue, and how much may run at the same time.
type bounds struct {
	length int           // requests that wait
	wait   time.Duration // estimated; of what goes before a request of the same priority
	memory int64         // of all that runs together; 0: no bound
}

// queue hands out a fixed number of slots. A higher priority goes first and, within one, who came first; but see fairTurn.
// What takes much memory waits until it fits beside what runs, and alone if it takes more than the whole budget. Requests
// in the background leave one slot free, where there is more than one.
type queue struct {
	mu     sync.Mutex
	bounds bounds
	slots  int
	idle   []*slot // the last one used is the first one taken: its memory is warm

	memory     int64 // of what runs
	background int   // requests in the background that run

	lines    [priorities]line
	arrivals uint64
	turn     int
	blocked  []*waiter // a scratch pad of next's
	closed   bool
}

// line is those who wait with the same priority.
type line struct {
	waiters list.List // of *waiter
	work    time.Duration
}

// priorities is how many there are.
const priorities = int(PriorityBackground-PriorityHigh) + 1

// rank is the priority's line: the lower, the sooner. An unknown priority is the nearest known one.
func (p Priority) rank() int {
	return int(min(max(p, PriorityHigh), PriorityBackground) - PriorityHigh)
}

func (p Priority) inBackground() bool { return p >= PriorityBackground }

func newQueue(slots []*slot, b bounds) *queue {
	return &queue{idle: slices.Clone(slots), slots: len(slots), bounds: b}
}

// acquire returns a slot, at once or after waiting. It fails with ErrBusy at once when too much waits already, with
// ErrClosed, or with the context's error, having left the queue.
func (q *queue) acquire(ctx context.Context, d demand) (grant, error) {
	if err := ctx.Err(); err != nil {
		return grant{}, err
	}
	w, err := q.enter(d)
	if err != nil {
		return grant{}, err
	}
	select {
	case g, ok := <-w.ready:
		if !ok {
			return grant{}, ErrClosed
		}
		return g, nil
	case <-ctx.Done():
	}
	q.leave(w)
	select {
	case g, ok := <-w.ready: // it came at the same moment
		if ok {
			q.release(g)
		}
	default:
	}
	return grant{}, ctx.Err()
}

// enter puts a request in its line, which it may have left again with a slot when enter returns.
func (q *queue) enter(d demand) (*waiter, error) {
	d.cost, d.memory = max(d.cost, 0), max(d.memory, 0)
	if q.bounds.memory > 0 {
		d.memory = min(d.memory, q.bounds.memory)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, ErrClosed
	}
	full := q.full(d.priority)
	w := &waiter{demand: d, ready: make(chan grant, 1), arrival: q.arrivals}
	q.arrivals++
	at := &q.lines[d.priority.rank()]
	w.place = at.waiters.PushBack(w)
	at.work += d.cost
	q.dispatch()
	if w.place != nil && full {
		q.remove(w)
		return nil, ErrBusy.After(q.retryAfter())
	}
	return w, nil
}

// full tells whether a request of the given priority that cannot run at once has to be refused. What goes before it is
// what counts: a crowd of uploads does not keep thumbnails away.
func (q *queue) full(p Priority) bool {
	b := q.bounds
	if p.inBackground() {
		b.length = (b.length + backgroundShare - 1) / backgroundShare
		b.wait /= backgroundShare
	}
	waiting, before := 0, time.Duration(0)
	for i := range q.lines {
		waiting += q.lines[i].waiters.Len()
		if i <= p.rank() {
			before += q.lines[i].work
		}
	}
	return waiting >= b.length || before/time.Duration(q.slots) > b.wait
}

// retryAfter is about when half of the queue will be gone.
func (q *queue) retryAfter() time.Duration {
	work := time.Duration(0)
	for i := range q.lines {
		work += q.lines[i].work
	}
	half := work / time.Duration(2*q.slots)
	return min(max(half, minRetryAfter), maxRetryAfter)
}

// leave takes a waiter that no longer wants to wait out of its line. Somebody may have stood behind it.
func (q *queue) leave(w *waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.place != nil {
		q.remove(w)
		q.dispatch()
	}
}

func (q *queue) remove(w *waiter) {
	at := &q.lines[w.priority.rank()]
	at.waiters.Remove(w.place)
	at.work -= w.cost
	w.place = nil
}

// release takes a slot back and hands it to who is next.
func (q *queue) release(g grant) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.idle = append(q.idle, g.slot)
	q.memory -= g.demand.memory
	if g.demand.priority.inBackground() {
		q.background--
	}
	q.dispatch()
}

// dispatch hands out what slots it can. It is called after every change that may let somebody go.
func (q *queue) dispatch() {
	for len(q.idle) > 0 {
		w := q.next()
		if w == nil {
			return
		}
		q.remove(w)
		q.turn = (q.turn + 1) % fairTurn
		last := len(q.idle) - 1
		g := grant{q.idle[last], w.demand}
		q.idle = q.idle[:last]
		q.memory += w.memory
		if w.priority.inBackground() {
			q.background++
		}
		w.ready <- g
	}
}

// next chooses who goes, or nobody. It ends: where nothing runs, the first who is looked at fits.
func (q *queue) next() *waiter {
	q.blocked = q.blocked[:0]
	for w := range q.inTurn() {
		if w.priority.inBackground() && q.background >= max(1, q.slots-1) {
			continue
		}
		fits := q.bounds.memory == 0 || w.memory <= q.bounds.memory-q.memory
		switch {
		case !fits && w.passed >= maxPassed:
			return nil
		case !fits:
			q.blocked = append(q.blocked, w)
		case len(q.blocked) == 0 || w.memory <= q.bounds.memory/lightShare:
			for _, b := range q.blocked {
				b.passed++
			}
			return w
		}
	}
	return nil
}

// inTurn goes through all who wait, in the order in which they may go this time.
func (q *queue) inTurn() iter.Seq[*waiter] {
	if q.turn == fairTurn-1 {
		return q.byArrival
	}
	return q.byPriority
}

func (q *queue) byPriority(yield func(*waiter) bool) {
	for i := range q.lines {
		for e := q.lines[i].waiters.Front(); e != nil; e = e.Next() {
			if !yield(e.Value.(*waiter)) {
				return
			}
		}
	}
}

func (q *queue) byArrival(yield func(*waiter) bool) {
	var at [priorities]*list.Element
	for i := range q.lines {
		at[i] = q.lines[i].waiters.Front()
	}
	for {
		var first *list.Element
		line := 0
		for i, e := range at {
			if e != nil && (first == nil || e.Value.(*waiter).arrival < first.Value.(*waiter).arrival) {
				first, line = e, i
			}
		}
		if first == nil || !yield(first.Value.(*waiter)) {
			return
		}
		at[line] = first.Next()
	}
}

// close sends everybody who waits away.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for w := range q.byPriority {
		close(w.ready)
		w.place = nil
	}
	for i := range q.lines {
		q.lines[i].waiters.Init()
		q.lines[i].work = 0
	}
}

// snapshot fills in what the queue knows of Stats.
func (q *queue) snapshot(s *Stats) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s.Workers, s.Busy, s.Memory = q.slots, q.slots-len(q.idle), q.memory
	for i := range q.lines {
		n := q.lines[i].waiters.Len()
		s.Waiting += n
		s.WaitingWork += q.lines[i].work
		switch i {
		case PriorityHigh.rank():
			s.WaitingHigh = n
		case PriorityBackground.rank():
			s.WaitingBackground = n
		}
	}
}
