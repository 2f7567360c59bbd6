package variant_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "golang.org/x/image/webp"
	"golang.org/x/sync/errgroup"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/postgres"
	"github.com/kadr-app/kadr/internal/variant"
)

func TestManyAskAndOneIsMade(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m, src := r.maker(variant.Config{}), r.picture(640, 480, 1)
	var sums sync.Map
	var work errgroup.Group
	for range 200 {
		work.Go(func() error {
			f, err := m.Open(t.Context(), src, webp(320))
			if err != nil {
				return err
			}
			defer f.Close()
			b, err := io.ReadAll(f)
			sum := sha256.Sum256(b)
			if err == nil && (int64(len(b)) != f.Size || f.Digest != [16]byte(sum[:16]) || f.Path != blob.VariantPath(src.Ref, "r2-w320.webp")) {
				err = fmt.Errorf("%d bytes, and the file says %d, %x, %s", len(b), f.Size, f.Digest, f.Path)
			}
			sums.Store(sum, true)
			return err
		})
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	r.expectRenders(1)
	open(t, m, src, webp(320))
	r.expectRenders(1)
	eventually(t, "the file is on record", func() bool {
		return r.int(`SELECT coalesce(sum(size), 0) FROM variants WHERE claimed_until <= now()`) == int(r.files()["r2-w320.webp"])
	})
}

func TestReplicasMakeOne(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	src := r.picture(640, 480, 1)
	var work errgroup.Group
	for range 2 {
		m := r.maker(variant.Config{MasterSide: 320})
		for i := range 60 {
			work.Go(func() error {
				f, err := m.Open(t.Context(), src, webp([]int{64, 160}[i%2]))
				if err != nil {
					return err
				}
				return f.Close()
			})
		}
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	// Each replica may have one of the two, but nothing is made twice.
	outputs := map[string]int{}
	for _, req := range r.requests {
		for _, out := range req.Outputs {
			outputs[fmt.Sprint(out.Width, out.Format)]++
		}
	}
	for what, n := range outputs {
		if n != 1 {
			t.Errorf("%s was made %d times", what, n)
		}
	}
	if len(outputs) != 3 {
		t.Errorf("made: %v", outputs)
	}
}

func TestSetComesFromOneDecode(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m, src := r.makerOver(slowClaims{r.store()}, variant.Config{}), r.picture(1200, 900, 1)
	var work sync.WaitGroup
	for _, width := range []int{64, 160, 320} {
		work.Go(func() { open(t, m, src, webp(width)) })
	}
	work.Wait()
	r.expectRenders(1)
	if n := len(r.last().Outputs); n != 3 {
		t.Errorf("%d outputs", n)
	}
	if r.last().Priority != imaging.PriorityHigh {
		t.Errorf("priority %d", r.last().Priority)
	}
	open(t, m, src, webp(1000))
	if r.last().Priority != imaging.PriorityNormal {
		t.Errorf("a large one has priority %d", r.last().Priority)
	}
}

// More than one request can take become several.
func TestLargeSet(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m, src := r.maker(variant.Config{MasterSide: 320}), r.picture(640, 480, 1)
	var work sync.WaitGroup
	const n = 2*imaging.MaxOutputs + 3
	for i := range n {
		work.Go(func() { open(t, m, src, webp(50+i)) })
	}
	work.Wait()
	if got := len(r.files()); got != n+1 {
		t.Errorf("%d files, want %d and a master", got, n)
	}
	if r.renders.Load() > n/2 {
		t.Errorf("%d renders", r.renders.Load())
	}
}

func TestClaimOfADeadReplicaRunsOut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	src := r.picture(640, 480, 1)
	const lifetime = 400 * time.Millisecond
	if _, err := r.store().Claim(t.Context(), src.Ref, []string{webp(320).Name()}, lifetime); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	open(t, r.maker(variant.Config{}), src, webp(320))
	if took := time.Since(start); took < lifetime/2 || took > 10*lifetime {
		t.Errorf("took %v", took)
	}
	r.expectRenders(1)
}

// A replica that is slow but alive keeps its claim.
func TestClaimIsRenewed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	src := r.picture(640, 480, 1)
	cfg := variant.Config{ClaimLifetime: time.Second}
	r.before = func(*os.File, imaging.RenderRequest) error { time.Sleep(2500 * time.Millisecond); return nil }
	var work sync.WaitGroup
	for range 2 {
		m := r.maker(cfg)
		work.Go(func() { open(t, m, src, webp(320)) })
	}
	work.Wait()
	r.expectRenders(1)
}

func TestWorkOutlivesWhoAsked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m, src := r.maker(variant.Config{}), r.picture(640, 480, 1)
	begun, goOn := make(chan struct{}), make(chan struct{})
	r.before = func(*os.File, imaging.RenderRequest) error { close(begun); <-goOn; return nil }
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	if _, err := m.Open(ctx, src, webp(320)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(goOn)
	eventually(t, "it is made", func() bool { return len(r.files()) == 1 })
	open(t, m, src, webp(320))
	r.expectRenders(1)
}

// The bytes go while a variant is being made: nothing of it may stay.
func TestRemovalMeetsRender(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m, src := r.maker(variant.Config{MasterSide: 320}), r.picture(640, 480, 1)
	images := postgres.NewImageStore(r.open())
	r.before = func(*os.File, imaging.RenderRequest) error {
		ok, err := images.RemoveBlob(t.Context(), src.Ref, func(ctx context.Context) error { return r.blobs.Remove(ctx, src.Ref) })
		if err != nil || !ok {
			t.Errorf("remove: %v, %v", ok, err)
		}
		return nil
	}
	if _, err := m.Open(t.Context(), src, webp(320)); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	eventually(t, "the work ends", func() bool { return m.Jobs() == 0 })
	if files, rows := r.files(), r.int(`SELECT count(*) FROM variants`); len(files) != 0 || rows != 0 {
		t.Errorf("%v and %d rows are left", files, rows)
	}
	if _, err := m.Open(t.Context(), src, webp(64)); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("afterwards: %v", err)
	}
}

func TestManyColdRequestsAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.maker(variant.Config{MaxWaiting: 32})
	sources := make([]variant.Source, 20)
	for i := range sources {
		sources[i] = r.picture(200, 150, uint8(i))
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var made, busy atomic.Int32
	var work sync.WaitGroup
	for i := range 2000 {
		work.Go(func() {
			f, err := m.Open(t.Context(), sources[i%len(sources)], webp(10+i/len(sources)))
			switch {
			case err == nil:
				made.Add(1)
				f.Close()
			case errors.Is(err, imaging.ErrBusy):
				busy.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	work.Wait()
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("%d made, %d refused, %d renders, up to %d at once", made.Load(), busy.Load(), r.renders.Load(), r.peak.Load())
	if made.Load() < 32 || made.Load()+busy.Load() != 2000 || r.peak.Load() > 32 {
		t.Errorf("%d made, %d refused, up to %d at once", made.Load(), busy.Load(), r.peak.Load())
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("%d bytes more than before", grown)
	}
	if m.Jobs() != 0 {
		t.Errorf("%d jobs are left", m.Jobs())
	}
	open(t, m, sources[0], webp(10))
}

func TestDigestFollowsTheFile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m, src := r.maker(variant.Config{}), r.picture(640, 480, 1)
	digest := func() [16]byte {
		t.Helper()
		f, err := m.AtHand(t.Context(), src, webp(320))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		return f.Digest
	}
	if _, err := m.AtHand(t.Context(), src, webp(320)); !errors.Is(err, blob.ErrVariantNotFound) {
		t.Fatalf("before it is made: %v", err)
	}
	r.expectRenders(0)
	open(t, m, src, webp(320))
	first := digest()
	for _, content := range []string{"another", "content"} { // of the same length
		v, err := r.blobs.NewVariant(t.Context(), src.Ref, webp(320).Name())
		if err != nil {
			t.Fatal(err)
		}
		defer v.Discard()
		if _, err := v.File().WriteString(content); err != nil {
			t.Fatal(err)
		}
		if err := v.Commit(); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(content))
		if got := digest(); got == first || got != [16]byte(sum[:16]) {
			t.Errorf("the digest of %q is %x", content, got)
		}
	}
}

func TestRunEndsTheWork(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m, src := r.maker(variant.Config{}), r.picture(640, 480, 1)
	open(t, m, src, webp(64))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { m.Run(ctx); close(ended) }()
	m.Schedule(src, webp(160))
	eventually(t, "what is scheduled is made", func() bool { return r.files()["r2-w160.webp"] > 0 })
	cancel()
	<-ended
	if _, err := m.Open(t.Context(), src, webp(320)); !errors.Is(err, imaging.ErrClosed) {
		t.Errorf("got %v", err)
	}
	open(t, m, src, webp(64))
	m.Schedule(src, webp(480))
	if m.Jobs() != 0 {
		t.Errorf("%d jobs", m.Jobs())
	}
}
