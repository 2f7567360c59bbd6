package imaging_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/imaging"
)

// eventually waits for what other processes bring about.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func kill(t *testing.T, p *imaging.Pool) {
	t.Helper()
	for _, pid := range p.Pids() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	// Not parallel: it counts what the whole process has open.
	pool(t)
	descriptors := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	goroutines, open := runtime.NumGoroutine(), descriptors()
	p, err := imaging.NewPool(imaging.PoolConfig{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	file := encode(t, imaging.JPEG, paint(100, 80, gradient))
	for range 20 {
		src := tempFile(t, file)
		if _, err := p.Ingest(context.Background(), src, imaging.IngestRequest{}); err != nil {
			t.Fatal(err)
		}
		src.Close()
	}
	kill(t, p)
	_, _ = p.Probe(context.Background(), tempFile(t, file), imaging.Limits{}) // meets the dead and starts anew
	pids := p.Pids()
	p.Close()
	p.Close()
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); err == nil {
			t.Errorf("decoder %d outlives its pool", pid)
		}
	}
	eventually(t, "goroutines and descriptors are back", func() bool {
		return runtime.NumGoroutine() <= goroutines && descriptors() <= open+1 // the one Probe's source
	})
	if _, err := p.Probe(context.Background(), tempFile(t, file), imaging.Limits{}); !errors.Is(err, imaging.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestCrashIsTriedOnceMore(t *testing.T) {
	t.Parallel()
	p := newPool(t, imaging.PoolConfig{Workers: 1})
	done := make(chan error, 1)
	go func() { done <- p.SelfTest(context.Background(), "sleep:400ms") }()
	time.Sleep(100 * time.Millisecond)
	kill(t, p)
	if err := <-done; err != nil {
		t.Errorf("the second try was not made: %v", err)
	}
	if s := p.Stats(); s.Crashes != 1 || s.Restarts != 1 || s.Served != 1 {
		t.Errorf("%+v", s)
	}
	err := p.SelfTest(context.Background(), "die")
	if e := wantError(t, err, imaging.ErrCrashed); e.Kind != apperr.Unprocessable {
		t.Error(e.Kind)
	}
	if err := p.SelfTest(context.Background(), "sleep:0s"); err != nil {
		t.Errorf("the next request suffers: %v", err)
	}
}

// TestKilledAtRandom is the worst day: whatever happens to decoders, a request ends with its picture or with one error.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	p := newPool(t, imaging.PoolConfig{Workers: 2, QueueLength: 100})
	file := tempFile(t, encode(t, imaging.JPEG, noise(300, 200)))
	stop := make(chan struct{})
	var killer sync.WaitGroup
	killer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(150 * time.Millisecond):
			}
			if pids := p.Pids(); len(pids) > 0 {
				_ = syscall.Kill(pids[i%len(pids)], syscall.SIGKILL)
			}
		}
	})
	var made, crashed atomic.Int32
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for range 25 {
				outputs := withFiles(t, []imaging.Output{{Shape: imaging.Shape{Width: 200}, Format: imaging.WebP}, {Shape: imaging.Shape{Width: 100}, Format: imaging.PNG}})
				got, err := p.Ingest(context.Background(), file, imaging.IngestRequest{Outputs: outputs})
				if errors.Is(err, imaging.ErrCrashed) {
					crashed.Add(1)
					continue
				}
				if err != nil {
					t.Errorf("%v", err)
					continue
				}
				made.Add(1)
				for i, b := range contents(t, outputs) {
					if int64(len(b)) != got.Outputs[i].Size {
						t.Errorf("output of %d bytes, reported %d", len(b), got.Outputs[i].Size)
					}
					decode(t, b)
				}
			}
		})
	}
	clients.Wait()
	close(stop)
	killer.Wait()
	if made.Load() == 0 {
		t.Error("nothing was made")
	}
	t.Logf("made %d, given up %d, %+v", made.Load(), crashed.Load(), p.Stats())
	eventually(t, "the pool works again", func() bool {
		_, err := p.Probe(context.Background(), file, imaging.Limits{})
		return err == nil
	})
}

func TestTimeoutKillsEvenTheStopped(t *testing.T) {
	t.Parallel()
	p := newPool(t, imaging.PoolConfig{Workers: 1, Timeout: 300 * time.Millisecond})
	if err := syscall.Kill(p.Pids()[0], syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	file := tempFile(t, encode(t, imaging.PNG, paint(20, 20, gradient)))
	start := time.Now()
	_, err := p.Ingest(context.Background(), file, imaging.IngestRequest{})
	if e := wantError(t, err, imaging.ErrTooSlow); e.Kind != apperr.Unprocessable || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %v", e.Kind, time.Since(start))
	}
	eventually(t, "a fresh decoder answers", func() bool {
		_, err := p.Probe(context.Background(), file, imaging.Limits{})
		return err == nil
	})
	if s := p.Stats(); s.Timeouts != 1 || s.Crashes != 0 {
		t.Errorf("%+v", s)
	}
}

func TestFullQueueSaysSoAtOnce(t *testing.T) {
	t.Parallel()
	p := newPool(t, imaging.PoolConfig{Workers: 1, QueueLength: 1})
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { _ = p.SelfTest(context.Background(), "sleep:500ms") })
	eventually(t, "the decoder is busy", func() bool { return p.Stats().Busy == 1 })

	// The one place is taken, left, and taken again.
	ctx, cancel := context.WithCancel(context.Background())
	left := make(chan error, 1)
	go func() { left <- p.SelfTest(ctx, "sleep:0s") }()
	eventually(t, "one waits", func() bool { return p.Stats().Waiting == 1 })
	start := time.Now()
	err := p.SelfTest(context.Background(), "sleep:0s")
	if e := wantError(t, err, imaging.ErrBusy); e.RetryAfter <= 0 || e.Kind != apperr.Unavailable || time.Since(start) > 200*time.Millisecond {
		t.Errorf("%+v after %v", e, time.Since(start))
	}
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("left with %v", err)
	}
	if s := p.Stats(); s.Waiting != 0 || s.Rejected != 1 {
		t.Errorf("%+v", s)
	}
	if err := p.SelfTest(context.Background(), "sleep:0s"); err != nil {
		t.Errorf("the place that was left is not free: %v", err)
	}
}

func TestWithdrawnRequestDoesNotWedge(t *testing.T) {
	t.Parallel()
	p := newPool(t, imaging.PoolConfig{Workers: 1})
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := p.SelfTest(ctx, "sleep:1h"); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 900*time.Millisecond {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	if err := p.SelfTest(context.Background(), "sleep:0s"); err != nil {
		t.Error(err)
	}
	if s := p.Stats(); s.Timeouts != 0 || s.Crashes != 0 {
		t.Errorf("a withdrawn request counts as a failure: %+v", s)
	}
}

func TestCloseWhileBusy(t *testing.T) {
	t.Parallel()
	p := newPool(t, imaging.PoolConfig{Workers: 1})
	errs := make(chan error, 3)
	for range cap(errs) {
		go func() { errs <- p.SelfTest(context.Background(), "sleep:1h") }()
	}
	eventually(t, "one runs and two wait", func() bool { return p.Stats().Waiting == 2 })
	p.Close()
	for range cap(errs) {
		if err := <-errs; !errors.Is(err, imaging.ErrClosed) {
			t.Errorf("%v", err)
		}
	}
}

func TestDecodersAreRecycled(t *testing.T) {
	t.Parallel()
	p := newPool(t, imaging.PoolConfig{Workers: 1, RecycleAfter: 3})
	first := p.Pids()[0]
	for range 4 {
		if err := p.SelfTest(context.Background(), "sleep:0s"); err != nil {
			t.Fatal(err)
		}
	}
	if p.Pids()[0] == first || p.Stats().Restarts != 1 || p.Stats().Crashes != 0 {
		t.Errorf("%+v", p.Stats())
	}
}

func TestDecoderThatCannotStart(t *testing.T) {
	t.Parallel()
	for _, command := range [][]string{{"/bin/false"}, {"/no/such/program"}} {
		if p, err := imaging.NewPool(imaging.PoolConfig{Command: command, Workers: 2}); err == nil {
			p.Close()
			t.Errorf("%v: no error", command)
		}
	}
}

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	p := newPool(t, imaging.PoolConfig{Workers: 1, MemoryLimit: 64 << 20})
	file := tempFile(t, oriented(encode(t, imaging.JPEG, paint(64, 64, gradient)), 6))
	if _, err := p.Ingest(context.Background(), file, imaging.IngestRequest{}); err != nil {
		t.Fatalf("a small one: %v", err)
	}
	big := tempFile(t, largePNG())
	outputs := withFiles(t, []imaging.Output{{Format: imaging.PNG}, {Format: imaging.JPEG}})
	_, err := p.Render(context.Background(), big, imaging.RenderRequest{Outputs: outputs})
	if e := wantError(t, err, imaging.ErrTooLarge); e.Kind != apperr.Unprocessable {
		t.Error(e)
	}
	if _, err := p.Ingest(context.Background(), file, imaging.IngestRequest{}); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

func TestWhatDecodersSayIsLoggedAtDebug(t *testing.T) {
	t.Parallel()
	var b lockedBuilder
	p := newPool(t, imaging.PoolConfig{Workers: 1, Log: slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	_ = p.SelfTest(context.Background(), "die")
	p.Close()
	if log := b.String(); !strings.Contains(log, "stderr=\"decoder: dying on demand\"") || !strings.Contains(log, "exit status 3") {
		t.Errorf("log:\n%s", log)
	}
}

type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
