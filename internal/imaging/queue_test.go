package imaging

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
)

// bench is a queue whose requests have names; it notes the order in which they get a slot.
type bench struct {
	*queue
	t      *testing.T
	mu     sync.Mutex
	order  []string
	grants map[string]grant
	wait   sync.WaitGroup
}

func newBench(t *testing.T, slots int, b bounds) *bench {
	made := make([]*slot, slots)
	for i := range made {
		made[i] = &slot{}
	}
	if b.length == 0 {
		b.length = 1000
	}
	if b.wait == 0 {
		b.wait = time.Hour
	}
	return &bench{queue: newQueue(made, b), t: t, grants: map[string]grant{}}
}

// ask lets a request stand in line, and returns when it does or has a slot.
func (b *bench) ask(name string, d demand) {
	b.t.Helper()
	w, err := b.enter(d)
	if err != nil {
		b.t.Fatalf("%s: %v", name, err)
	}
	b.wait.Go(func() {
		if g, ok := <-w.ready; ok {
			b.mu.Lock()
			b.order = append(b.order, name)
			b.grants[name] = g
			b.mu.Unlock()
		}
	})
	b.settle()
}

// settle waits until all that were let go have been noted.
func (b *bench) settle() {
	b.t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Microsecond) {
		var s Stats
		b.snapshot(&s)
		b.mu.Lock()
		done := len(b.grants) == s.Busy
		b.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatal("the queue does not come to rest")
		}
	}
}

func (b *bench) done(name string) {
	b.t.Helper()
	b.mu.Lock()
	g, ok := b.grants[name]
	delete(b.grants, name)
	b.mu.Unlock()
	if !ok {
		b.t.Fatalf("%s has no slot", name)
	}
	b.release(g)
	b.settle()
}

// runAll ends whoever runs, one after the other, until nobody is left, and returns who began in which order.
func (b *bench) runAll() string {
	b.t.Helper()
	for i := 0; ; i++ {
		b.mu.Lock()
		if i == len(b.order) {
			b.mu.Unlock()
			break
		}
		name := b.order[i]
		_, running := b.grants[name]
		b.mu.Unlock()
		if running {
			b.done(name)
		}
	}
	b.wait.Wait()
	var s Stats
	b.snapshot(&s)
	if s != (Stats{Workers: b.slots}) || b.background != 0 {
		b.t.Errorf("something is left: %+v, %d in the background", s, b.background)
	}
	return strings.Join(b.order, " ")
}

func (b *bench) running() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var names []string
	for name := range b.grants {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

var (
	high   = demand{priority: PriorityHigh, cost: time.Millisecond}
	normal = demand{cost: time.Millisecond}
	low    = demand{priority: PriorityBackground, cost: time.Millisecond}
)

func TestHigherPriorityGoesFirst(t *testing.T) {
	t.Parallel()
	q := newBench(t, 1, bounds{})
	q.ask("first", normal)
	for _, name := range []string{"b1", "b2", "n1", "n2", "h1", "h2"} {
		q.ask(name, map[byte]demand{'b': low, 'n': normal, 'h': high}[name[0]])
	}
	// The fourth slot goes to who came first, and so does the eighth.
	if got := q.runAll(); got != "first h1 h2 b1 n1 n2 b2" {
		t.Error(got)
	}
}

func TestNobodyStarves(t *testing.T) {
	t.Parallel()
	q := newBench(t, 1, bounds{})
	q.ask("h", high)
	q.ask("patient", low)
	for i := range 10 {
		name := "h" + strings.Repeat("h", i+1)
		q.ask(name, high)
		q.done(name[1:])
		if q.running() == "patient" {
			if i > fairTurn {
				t.Errorf("%d went before it", i)
			}
			return
		}
	}
	t.Error("who came first never had its turn")
}

func TestBackgroundLeavesOneSlot(t *testing.T) {
	t.Parallel()
	for slots, most := range map[int]string{1: "b1", 2: "b1", 3: "b1 b2"} {
		q := newBench(t, slots, bounds{})
		for _, name := range []string{"b1", "b2", "b3"} {
			q.ask(name, low)
		}
		if got := q.running(); got != most {
			t.Errorf("%d slots: %s run", slots, got)
		}
		if q.ask("n", normal); slots > 1 && !strings.Contains(q.running(), "n") {
			t.Errorf("%d slots: none is left", slots)
		}
		if got := q.runAll(); len(strings.Fields(got)) != 4 {
			t.Errorf("%d slots: %s", slots, got)
		}
	}
}

func TestFullByTheWorkThatWaits(t *testing.T) {
	t.Parallel()
	q := newBench(t, 2, bounds{wait: 10 * time.Second})
	refused := func(p Priority) *apperr.Error {
		var e *apperr.Error
		if _, err := q.enter(demand{priority: p, cost: time.Second}); err != nil && (!errors.As(err, &e) || !errors.Is(err, ErrBusy)) {
			t.Fatal(err)
		}
		return e
	}
	for _, name := range []string{"r1", "r2"} {
		q.ask(name, normal)
	}
	q.ask("slow", demand{cost: 12 * time.Second})
	if refused(PriorityBackground) == nil {
		t.Error("6 s wait, and the background may come too")
	}
	q.ask("slower", demand{cost: 10 * time.Second})
	e := refused(PriorityNormal)
	if e == nil || e.RetryAfter != 5500*time.Millisecond {
		t.Errorf("refused with %+v", e)
	}
	q.ask("thumbnail", high) // nothing goes before it
	var s Stats
	q.snapshot(&s)
	if want := (Stats{Workers: 2, Busy: 2, Waiting: 3, WaitingHigh: 1, WaitingWork: 22*time.Second + time.Millisecond}); s != want {
		t.Errorf("%+v", s)
	}
	q.ask("more", demand{priority: PriorityHigh, cost: time.Hour})
	if e := refused(PriorityHigh); e == nil || e.RetryAfter != maxRetryAfter {
		t.Errorf("refused with %+v", e)
	}
	q.runAll()
}

func TestFullByNumber(t *testing.T) {
	t.Parallel()
	q := newBench(t, 1, bounds{length: 8})
	q.ask("r", normal)
	for i := range 8 {
		if _, err := q.enter(low); (err == nil) != (i < 2) {
			t.Errorf("background %d: %v", i, err)
		}
	}
	for i := range 8 {
		if _, err := q.enter(high); (err == nil) != (i < 6) {
			t.Errorf("high %d: %v", i, err)
		}
	}
	none := newBench(t, 1, bounds{length: -1})
	none.ask("r", normal)
	if _, err := none.enter(high); !errors.Is(err, ErrBusy) {
		t.Errorf("a queue without places: %v", err)
	}
}

func TestMemoryBudget(t *testing.T) {
	t.Parallel()
	heavy := func(mb int64) demand { return demand{cost: time.Millisecond, memory: mb << 20} }
	q := newBench(t, 4, bounds{memory: 320 << 20})
	q.ask("a200", heavy(200))
	q.ask("b200", heavy(200))
	q.ask("c100", heavy(100)) // would fit, but b came first
	q.ask("d20", heavy(20))   // is small
	q.ask("e5000", heavy(5000))
	if got := q.running(); got != "a200 d20" {
		t.Fatal(got)
	}
	q.done("a200")
	if got := q.running(); got != "b200 c100 d20" {
		t.Fatal(got)
	}
	q.done("b200")
	q.done("c100")
	if got := q.running(); got != "d20" {
		t.Fatalf("%s: the largest is not alone", got)
	}
	q.ask("f1", heavy(1))
	q.done("d20")
	q.done("f1")
	if got := q.running(); got != "e5000" {
		t.Error(got)
	}
	q.runAll()
}

func TestSmallOnesDoNotKeepALargeOneWaiting(t *testing.T) {
	t.Parallel()
	q := newBench(t, 2, bounds{memory: 100})
	small := demand{priority: PriorityHigh, cost: time.Millisecond, memory: 1}
	q.ask("s", small)
	q.ask("large", demand{memory: 100})
	passed := 0
	for name := "ss"; q.running() != "large"; name += "s" {
		q.ask(name, small)
		q.done(name[1:])
		if passed++; passed > fairTurn*(maxPassed+2) {
			t.Fatal("the large one waits for ever")
		}
	}
	if passed < maxPassed {
		t.Errorf("only %d went past", passed)
	}
	q.runAll()
}

func TestWhoLeavesLetsOthersPass(t *testing.T) {
	t.Parallel()
	q := newBench(t, 2, bounds{memory: 100})
	q.ask("a", demand{memory: 50})
	ctx, cancel := context.WithCancel(context.Background())
	left := make(chan error, 1)
	go func() {
		_, err := q.acquire(ctx, demand{memory: 100})
		left <- err
	}()
	for s := (Stats{}); s.Waiting == 0; time.Sleep(time.Millisecond) {
		q.snapshot(&s)
	}
	q.ask("b", demand{memory: 40})
	if got := q.running(); got != "a" {
		t.Fatal(got)
	}
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	q.settle()
	if got := q.running(); got != "a b" {
		t.Errorf("%s: nobody took the place that was left", got)
	}
	q.runAll()
}

func TestQueueCloses(t *testing.T) {
	t.Parallel()
	q := newBench(t, 1, bounds{})
	q.ask("r", normal)
	errs := make(chan error, 3)
	for _, d := range []demand{high, normal, low} {
		go func() {
			_, err := q.acquire(context.Background(), d)
			errs <- err
		}()
	}
	for s := (Stats{}); s.Waiting < cap(errs); time.Sleep(time.Millisecond) {
		s = Stats{}
		q.snapshot(&s)
	}
	q.close()
	for range cap(errs) {
		if err := <-errs; !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	}
	q.runAll()
	if _, err := q.acquire(context.Background(), normal); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// TestQueueUnderFire looks for what a table cannot: lost slots, and more memory than the budget, while many come and go.
func TestQueueUnderFire(t *testing.T) {
	t.Parallel()
	const slots, budget = 3, 1000
	q := newBench(t, slots, bounds{memory: budget, length: 40, wait: 50 * time.Millisecond})
	var memory, served, busy, gone atomic.Int64
	var clients sync.WaitGroup
	for i := range 16 {
		clients.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for range 300 {
				d := demand{Priority(r.IntN(3) - 1), time.Duration(r.IntN(5)) * time.Millisecond, int64(r.IntN(30))}
				if r.IntN(8) == 0 {
					d.memory = int64(r.IntN(2 * budget))
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(3000))*time.Microsecond)
				switch g, err := q.acquire(ctx, d); {
				case err == nil:
					if now := memory.Add(g.demand.memory); now > budget {
						t.Errorf("%d of %d in use", now, budget)
					}
					time.Sleep(time.Duration(r.IntN(200)) * time.Microsecond)
					memory.Add(-g.demand.memory)
					q.release(g)
					served.Add(1)
				case errors.Is(err, ErrBusy):
					busy.Add(1)
				case errors.Is(err, context.DeadlineExceeded):
					gone.Add(1)
				default:
					t.Error(err)
				}
				cancel()
			}
		})
	}
	clients.Wait()
	q.runAll()
	t.Logf("%d served, %d refused, %d left", served.Load(), busy.Load(), gone.Load())
}
