package variant_test

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/variant"
)

// age makes all rows look as if they were used last so long ago, but for those with the given names.
func (r *rig) age(by time.Duration, but ...string) {
	r.t.Helper()
	r.exec(`UPDATE variants SET used_at = now() - $1::interval, used_hour = floor(extract(epoch FROM now() - $1::interval) / 3600)
		WHERE name <> ALL($2)`, by, append([]string{""}, but...))
}

func TestEvictionTakesWhatWasUsedLeast(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one, two := r.picture(600, 400, 1), r.picture(600, 400, 2)
	fill := r.maker(variant.Config{})
	for _, src := range []variant.Source{one, two} {
		for _, width := range []int{64, 160, 320, 480} {
			open(t, fill, src, webp(width))
		}
	}
	eventually(t, "all are on record", func() bool { return r.int(`SELECT count(*) FROM variants WHERE size > 0`) == 8 })
	total := int64(r.int(`SELECT sum(size) FROM variants`))
	r.age(time.Hour)
	limit := total - 1
	m := r.maker(variant.Config{CacheBytes: limit})
	m.Used(one.Ref, webp(480).Name())
	m.Used(two.Ref, webp(480).Name())
	m.Flush(t.Context())
	m.Trim(t.Context())
	left := int64(r.int(`SELECT sum(size) FROM variants`))
	smallest := int64(r.int(`SELECT min(size) FROM variants`))
	if left > limit/10*9 || left+4*smallest < limit/10*9 {
		t.Errorf("%d of %d bytes are left, of which 90 %% may be", left, limit)
	}
	files := int64(0)
	err := r.blobs.Walk(t.Context(), func(e blob.Entry) error {
		if e.Variant != "" {
			files += e.Size
		}
		return nil
	})
	if err != nil || files != left {
		t.Errorf("the files have %d bytes, and the rows %d (%v)", files, left, err)
	}
	if n := r.int(`SELECT count(*) FROM variants WHERE name = $1`, webp(480).Name()); n != 2 {
		t.Errorf("%d of 2 that were used are left", n)
	}
	m.Trim(t.Context()) // there is nothing to do
	if now := int64(r.int(`SELECT sum(size) FROM variants`)); now != left {
		t.Errorf("%d bytes, and before %d", now, left)
	}
	// What was used just now stays, until it alone is too much.
	r.age(time.Minute)
	tiny := r.maker(variant.Config{CacheBytes: 1})
	tiny.Trim(t.Context())
	if n := r.int(`SELECT count(*) FROM variants`); n != 0 {
		t.Errorf("%d files are left where there is room for none", n)
	}
	open(t, tiny, one, webp(64))
	eventually(t, "it is on record", func() bool { return r.int(`SELECT count(*) FROM variants WHERE size > 0`) == 1 })
	tiny.Trim(t.Context())
	if n := len(r.files()); n != 1 {
		t.Errorf("%d files: what was made a moment ago went", n)
	}
}

// Two replicas evict all the time while others read: every reader gets its picture.
func TestEvictionMeetsReaders(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	src := r.picture(400, 300, 1)
	ctx, cancel := context.WithCancel(t.Context())
	var evictors sync.WaitGroup
	for range 2 {
		m := r.maker(variant.Config{CacheBytes: 1, Idle: time.Nanosecond})
		evictors.Go(func() {
			for ctx.Err() == nil {
				m.Trim(ctx)
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	var readers errgroup.Group
	for range 2 {
		m := r.maker(variant.Config{MasterSide: 200})
		for i := range 4 {
			readers.Go(func() error {
				for n := 0; n < 15 || r.renders.Load() < 6 && n < 2000; n++ {
					f, err := m.Open(t.Context(), src, webp(100+10*((i+n)%3)))
					if err != nil {
						return err
					}
					if _, err := f.Stat(); err != nil {
						return err
					}
					f.Close()
					time.Sleep(5 * time.Millisecond)
				}
				return nil
			})
		}
	}
	if err := readers.Wait(); err != nil {
		t.Error(err)
	}
	cancel()
	evictors.Wait()
	if r.renders.Load() < 6 {
		t.Errorf("only %d renders: nothing was evicted", r.renders.Load())
	}
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m, src := r.maker(variant.Config{}), r.picture(400, 300, 1)
	put := func(name string) {
		t.Helper()
		v, err := r.blobs.NewVariant(t.Context(), src.Ref, name)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Discard()
		if _, err := v.File().WriteString("content"); err != nil {
			t.Fatal(err)
		}
		if err := v.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	put("r1-w320.webp")
	put("r2-w320.webp")
	walk := func() (entries []blob.Entry) {
		t.Helper()
		if err := r.blobs.Walk(t.Context(), func(e blob.Entry) error { entries = append(entries, e); return nil }); err != nil {
			t.Fatal(err)
		}
		return entries
	}
	for i, grace := range []time.Duration{time.Hour, 0} { // a file of an older server that is still at work, and then not
		removed, err := m.Adopt(t.Context(), walk(), grace)
		if err != nil || removed != i {
			t.Errorf("removed %d, %v", removed, err)
		}
	}
	if files := r.files(); len(files) != 1 || files["r2-w320.webp"] != 7 {
		t.Errorf("the files are %v", files)
	}
	if n := r.int(`SELECT count(*) FROM variants WHERE size = 7 AND name = 'r2-w320.webp'`); n != 1 {
		t.Errorf("%d rows", n)
	}
}

func TestUseIsRecorded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m, src := r.maker(variant.Config{}), r.picture(400, 300, 1)
	open(t, m, src, webp(64))
	eventually(t, "it is on record", func() bool { return r.int(`SELECT count(*) FROM variants WHERE size > 0`) == 1 })
	r.age(time.Hour)
	name := webp(64).Name()
	m.Used(src.Ref, name)
	m.Flush(t.Context())
	if n := r.int(`SELECT count(*) FROM variants WHERE used_at > now() - interval '1 minute'`); n != 1 {
		t.Error("the use is not on record")
	}
}

// TestUsedAllocatesNothing is not parallel: allocations are counted for the whole process.
func TestUsedAllocatesNothing(t *testing.T) {
	m := variant.NewMaker(nil, nil, nil, variant.Config{})
	name := webp(64).Name()
	if n := testing.AllocsPerRun(1000, func() { m.Used(blob.Ref{1}, name) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestScheduled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m, src := r.maker(variant.Config{MasterSide: 200}), r.picture(640, 480, 1)
	for _, width := range []int{300, 320, 300} {
		m.Schedule(src, webp(width))
	}
	if m.Jobs() != 2 {
		t.Errorf("%d jobs", m.Jobs())
	}
	// Somebody waits for one of them after all, before its turn.
	open(t, m, src, webp(320))
	if r.last().Priority != imaging.PriorityHigh {
		t.Errorf("priority %d for what somebody waits for", r.last().Priority)
	}
	if m.Jobs() != 1 {
		t.Errorf("%d jobs", m.Jobs())
	}
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { m.Run(ctx) })
	eventually(t, "the other one is made", func() bool { return m.Jobs() == 0 && r.files()["r2-w300.webp"] > 0 })
	if r.last().Priority != imaging.PriorityBackground {
		t.Errorf("priority %d for what nobody waits for", r.last().Priority)
	}
	r.expectRenders(2)
	m.Schedule(src, webp(300)) // it is there
	eventually(t, "it is looked at", func() bool { return m.Jobs() == 0 })
	r.expectRenders(2)
	cancel()
	run.Wait()

	crowd := r.maker(variant.Config{})
	for width := range 1000 {
		crowd.Schedule(src, webp(width+1))
	}
	if n := crowd.Jobs(); n > 256 {
		t.Errorf("%d are scheduled", n)
	}
}

// Who joins a job in the background that comes to nothing asks again by himself.
func TestBackgroundIsBusy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m, src := r.maker(variant.Config{}), r.picture(640, 480, 1)
	begun, goOn := make(chan struct{}), make(chan struct{})
	r.before = func(_ *os.File, req imaging.RenderRequest) error {
		if req.Priority != imaging.PriorityBackground {
			return nil
		}
		close(begun)
		<-goOn
		return imaging.ErrBusy
	}
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { m.Run(ctx) })
	m.Schedule(src, webp(320))
	<-begun
	time.AfterFunc(20*time.Millisecond, func() { close(goOn) })
	open(t, m, src, webp(320))
	r.expectRenders(2)
	cancel()
	run.Wait()
}
