package imaging

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kadr-app/kadr/internal/apperr"
)

// Pool is a fixed number of decoder processes and the queue before them. It is safe for concurrent use.
type Pool struct {
	config   PoolConfig
	launcher *launcher
	queue    *queue
	slots    []*slot
	input    []Format        // that libvips can read
	output   []Format        // that it can make
	closing  context.Context // done when Close begins
	shut     context.CancelFunc
	running  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	stats  Stats
}

// Stats is a snapshot of a pool's gauges and counters.
type Stats struct {
	Workers, Busy, Waiting         int           // now
	WaitingHigh, WaitingBackground int           // of those that wait
	WaitingWork                    time.Duration // how long one decoder would probably take for all that wait
	Memory                         int64         // that all decoders together probably need for what they do, in bytes

	Served   uint64 // requests that a decoder answered, with a result or an error of the picture
	Rejected uint64 // refused because the queue was full
	Crashes  uint64 // decoders that died at work
	Timeouts uint64 // decoders killed because a request took too long
	Restarts uint64 // decoders replaced, for whatever reason; those below are the others

	Withdrawn uint64 // decoders killed because nobody waited for what they did
	Worn      uint64 // idle decoders replaced because they had served RecycleAfter requests
	Bloated   uint64 // idle decoders replaced because they kept more memory than RecycleAbove
}

// slot is a place for one decoder. Whoever acquired it from the queue may use it; child may be nil after a failed start.
type slot struct {
	mu    sync.Mutex // guards child for Pids and Close
	child *child
}

// NewPool starts the decoders and waits until each is ready, so that a libvips that does not work shows at once. It must
// not be called in a decoder.
func NewPool(config PoolConfig) (*Pool, error) {
	if len(os.Args) > 1 && os.Args[1] == decoderArgument {
		// Without this a main or TestMain that forgets DecoderMain would start itself without end.
		return nil, errors.New("imaging: this process is a decoder: call imaging.DecoderMain first thing in main and TestMain")
	}
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Pool{config: config, launcher: newLauncher()}
	p.closing, p.shut = context.WithCancel(context.Background())
	var wg sync.WaitGroup
	failures := make([]error, config.Workers)
	for i := range config.Workers {
		s := &slot{}
		p.slots = append(p.slots, s)
		wg.Go(func() { failures[i] = p.fill(s) })
	}
	wg.Wait()
	p.queue = newQueue(p.slots, bounds{length: config.QueueLength, wait: config.QueueTime, memory: config.MemoryBudget})
	if err := errors.Join(failures...); err != nil {
		p.Close()
		return nil, failures[slices.IndexFunc(failures, func(err error) bool { return err != nil })]
	}
	hello := p.slots[0].child.hello
	if len(hello.Missing) > 0 {
		config.Log.Warn("decoders run without some protections", "missing", strings.Join(hello.Missing, "; "))
	}
	p.input, p.output = hello.Input, hello.Output
	config.Log.Info("decoders ready", "workers", config.Workers, "libvips", hello.Vips, "reads", p.input, "makes", p.output)
	return p, nil
}

// fill puts a new decoder into a slot.
func (p *Pool) fill(s *slot) error {
	c, err := spawn(p.launcher, p.config)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.child = c
	s.mu.Unlock()
	return nil
}

// empty kills a slot's decoder and returns what it died of, for the log.
func (p *Pool) empty(s *slot) string {
	s.mu.Lock()
	c := s.child
	s.child = nil
	s.mu.Unlock()
	if c == nil {
		return ""
	}
	c.kill()
	return c.epitaph()
}

// Close kills the decoders. Requests that wait or run end with ErrClosed. It returns when all processes are reaped, and
// may be called twice.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.queue.close()
	p.shut()
	for _, s := range p.slots {
		s.mu.Lock()
		if s.child != nil {
			_ = s.child.process.Process.Kill()
		}
		s.mu.Unlock()
	}
	p.running.Wait()
	for _, s := range p.slots {
		p.empty(s)
	}
	p.launcher.close()
}

// Stats returns the pool's counters.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	s := p.stats
	p.mu.Unlock()
	p.queue.snapshot(&s)
	return s
}

func (p *Pool) count(change func(*Stats)) {
	p.mu.Lock()
	change(&p.stats)
	p.mu.Unlock()
}

// Pids returns the process ids of the decoders, for tests and for whoever watches them.
func (p *Pool) Pids() []int {
	var pids []int
	for _, s := range p.slots {
		s.mu.Lock()
		if s.child != nil {
			pids = append(pids, s.child.pid())
		}
		s.mu.Unlock()
	}
	return pids
}

// Probe reads what a picture says of itself and checks the limits, decoding nothing. The errors are those of Ingest.
func (p *Pool) Probe(ctx context.Context, src *os.File, limits Limits) (Info, error) {
	reply, err := p.do(ctx, PriorityNormal, wireRequest{Operation: opProbe, Limits: limits}, src, nil)
	return reply.Info, err
}

// Ingest checks that src is a picture of an allowed format within the limits that decodes to its last row and frame, makes
// the outputs that are smaller, and a placeholder; all from one decode. src is read from its beginning whatever its
// offset, which stays as it is; it may have no name.
//
// Errors are apperr.Unsupported "image_type_not_allowed"; apperr.Unprocessable "image_empty", "image_broken",
// "image_too_many_pixels", "image_too_many_frames" (both before any full decode), "image_too_large_to_decode",
// "image_too_slow", "image_crashed_decoder"; apperr.Unavailable "decoders_busy" (with RetryAfter) and "decoders_closed";
// the context's error; and Internal. When the context ends, Ingest returns at once, and the decoder may go on writing to
// the outputs' files for a second: do not use them for anything else.
func (p *Pool) Ingest(ctx context.Context, src *os.File, request IngestRequest) (Ingested, error) {
	reply, err := p.do(ctx, PriorityNormal, wireRequest{Operation: opIngest, Limits: request.Limits}, src, request.Outputs)
	return Ingested{Info: reply.Info, ThumbHash: reply.ThumbHash, Outputs: reply.Outputs}, err
}

// Render makes variants of a stored picture, all from one decode. Result and request have the same order. The errors, and
// what holds for src and the files, are as with Ingest, and apperr.Invalid "page_unavailable" besides; a broken picture may
// go unnoticed where the frames that are needed are whole.
func (p *Pool) Render(ctx context.Context, src *os.File, request RenderRequest) ([]Rendered, error) {
	wire := wireRequest{Operation: opRender, Limits: request.Limits, Width: request.Width, Height: request.Height}
	reply, err := p.do(ctx, request.Priority, wire, src, request.Outputs)
	return reply.Outputs, err
}

func (p *Pool) do(ctx context.Context, priority Priority, request wireRequest, src *os.File, outputs []Output) (wireReply, error) {
	files := []*os.File{src}
	for _, o := range outputs {
		if err := p.makeable(o); err != nil {
			return wireReply{}, err
		}
		request.Outputs = append(request.Outputs, newWireOutput(o))
		files = append(files, o.File)
	}
	if len(outputs) > MaxOutputs {
		return wireReply{}, fmt.Errorf("imaging: %d outputs in one request, at most %d", len(outputs), MaxOutputs)
	}
	seen := p.begun(ctx, priority, request)
	outline, size := outlineOf(src)
	seen.of(outline)
	g, err := p.queue.acquire(ctx, p.demand(priority, request, outline, size, outputs))
	if err != nil {
		if errors.Is(err, ErrBusy) {
			p.count(func(s *Stats) { s.Rejected++ })
		}
		seen.over(err)
		return wireReply{}, err
	}
	seen.got()
	type result struct {
		reply wireReply
		err   error
	}
	// Descriptors of our own: when the context ends the caller closes its files, and what then has their numbers must
	// not be handed to a decoder.
	fds, err := duplicate(files)
	if err != nil || !p.begin() {
		closeAll(fds)
		p.queue.release(g)
		err = cmp.Or(err, error(ErrClosed))
		seen.over(err)
		return wireReply{}, err
	}
	done := make(chan result, 1)
	go func() {
		defer p.running.Done()
		reply, err := p.attempt(ctx, g.slot, request, fds)
		closeAll(fds)
		seen.over(err) // before anybody has the answer, so that whoever has it finds it counted
		done <- result{reply, err}
		p.tend(g.slot)
		p.queue.release(g)
	}()
	select {
	case r := <-done:
		return r.reply, r.err
	case <-ctx.Done():
		return wireReply{}, ctx.Err()
	}
}

// begin announces work to Close; it is false when that has begun.
func (p *Pool) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.running.Add(1)
	}
	return !p.closed
}

// attempt lets a slot's decoder do the request, and a second one when the first one dies of it.
func (p *Pool) attempt(ctx context.Context, s *slot, request wireRequest, fds []int) (wireReply, error) {
	for try := 1; ; try++ {
		if s.child == nil {
			if p.closing.Err() != nil {
				return wireReply{}, ErrClosed
			}
			p.count(func(s *Stats) { s.Restarts++ })
			if err := p.fill(s); err != nil {
				return wireReply{}, err
			}
		}
		reply, err := s.child.exchange(ctx, request, fds, p.config.Timeout)
		if err == nil {
			p.count(func(s *Stats) { s.Served++ })
			if reply.Error != nil {
				return wireReply{}, reply.Error.err()
			}
			return reply, nil
		}
		cause := fmt.Errorf("%w%s", err, p.empty(s))
		switch {
		case p.closing.Err() != nil:
			return wireReply{}, ErrClosed
		case errors.Is(err, errCancelled):
			p.count(func(s *Stats) { s.Withdrawn++ })
			return wireReply{}, ctx.Err()
		case errors.Is(err, errTimedOut):
			p.count(func(s *Stats) { s.Timeouts++ })
			p.config.Log.Warn("decoder killed: a picture takes too long", "timeout", p.config.Timeout)
			return wireReply{}, ErrTooSlow.Wrap(cause)
		}
		p.count(func(s *Stats) { s.Crashes++ })
		p.config.Log.Warn("decoder died", "try", try, "error", cause)
		switch {
		case ctx.Err() != nil:
			return wireReply{}, ctx.Err()
		case try == 2:
			return wireReply{}, ErrCrashed.Wrap(cause)
		}
		if err := rewind(fds[1:]); err != nil {
			return wireReply{}, err
		}
	}
}

// rewind empties outputs that a dead decoder has begun.
func rewind(outputs []int) error {
	for _, fd := range outputs {
		if _, err := unix.Seek(fd, 0, 0); err != nil {
			return fmt.Errorf("imaging: rewind output: %w", err)
		}
		if err := unix.Ftruncate(fd, 0); err != nil {
			return fmt.Errorf("imaging: truncate output: %w", err)
		}
	}
	return nil
}

// duplicate returns descriptors for the same open files. What it opened before an error is returned with it.
func duplicate(files []*os.File) ([]int, error) {
	fds := make([]int, 0, len(files))
	for _, f := range files {
		raw, err := f.SyscallConn()
		if err != nil {
			return fds, fmt.Errorf("imaging: %w", err)
		}
		var fd int
		var dupErr error
		err = raw.Control(func(original uintptr) { fd, dupErr = unix.FcntlInt(original, unix.F_DUPFD_CLOEXEC, 0) })
		if err = cmp.Or(err, dupErr); err != nil {
			return fds, fmt.Errorf("imaging: duplicate descriptor: %w", err)
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

// tend puts a fresh decoder where one has died or served its time, before the slot is used again but after the caller
// has its answer.
func (p *Pool) tend(s *slot) {
	if c := s.child; c != nil {
		switch {
		case c.served >= p.config.RecycleAfter:
			p.count(func(s *Stats) { s.Worn++ })
		case c.rss >= p.config.RecycleAbove:
			p.count(func(s *Stats) { s.Bloated++ })
		default:
			return
		}
		p.empty(s)
	}
	if p.closing.Err() != nil {
		return
	}
	p.count(func(s *Stats) { s.Restarts++ })
	if err := p.fill(s); err != nil {
		// The next request that gets the slot tries again and reports it.
		p.config.Log.Error("decoder not replaced", "error", err, "kind", apperr.KindOf(err))
	}
}
