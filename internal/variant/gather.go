package variant

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/imaging"
)

// gatherTime is how long a batch waits for more, at least: a browser asks for the pictures of a page one after the other.
// It passes while the first one is being claimed.
const gatherTime = 2 * time.Millisecond

// Waiting for a file that another replica makes: how often it is looked for, and how often it is asked whether whoever
// makes it has given up or died. Both begin with the first and end with the second.
const (
	firstLook, lastLook   = 5 * time.Millisecond, 100 * time.Millisecond
	firstClaim, lastClaim = 250 * time.Millisecond, time.Second
)

// storeTimeout bounds what is written down after the work. It is not cut off when the work is.
const storeTimeout = 5 * time.Second

// task is a batch at work: the claims on its variants, and the master that is made along with them.
type task struct {
	*Maker
	src        Source
	background bool

	claimed []*job // to be made
	// master is the picture's master where this task has to make it, or where another one is about to.
	master       *job
	makesMaster  bool
	masterLooked bool
}

// gather claims the first job of a batch, and then the others that have come meanwhile, and makes them.
func (m *Maker) gather(b *batch) {
	t := &task{Maker: m, src: b.src}
	window := time.NewTimer(gatherTime)
	defer window.Stop()
	m.mu.Lock()
	first := len(b.jobs)
	jobs := b.jobs[:first:first]
	m.mu.Unlock()
	ctx, cancel := m.workFor(b.asker)
	elsewhere := t.claim(ctx, jobs)
	<-window.C
	m.mu.Lock()
	if m.gathering[b.src.Ref] == b {
		delete(m.gathering, b.src.Ref)
	}
	jobs = b.jobs[first:]
	m.mu.Unlock()
	if len(jobs) > 0 {
		elsewhere = append(elsewhere, t.claim(ctx, jobs)...)
	}
	var waiting sync.WaitGroup
	for _, j := range elsewhere {
		waiting.Add(1)
		m.working.Go(func() {
			defer waiting.Done()
			m.await(ctx, j)
		})
	}
	t.make(ctx)
	waiting.Wait()
	cancel()
}

// workFor is the context of work that somebody asked for first: it says on whose behalf, which the log and the traces want to
// know, and ends with the Maker's alone.
func (m *Maker) workFor(asker context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(asker))
	stop := context.AfterFunc(m.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// claim claims what it can and returns the jobs that another replica is at. Those that cannot be made it ends.
func (t *task) claim(ctx context.Context, jobs []*job) (elsewhere []*job) {
	master := t.findMaster(ctx, jobs)
	if master != nil {
		jobs = append(jobs[:len(jobs):len(jobs)], master)
	}
	claims, err := t.store.Claim(ctx, t.src.Ref, names(jobs), t.cfg.ClaimLifetime)
	if err != nil {
		for _, j := range jobs {
			t.finish(j, t.stopped(err))
		}
		return nil
	}
	for i, c := range claims {
		j := jobs[i]
		switch {
		case c.Granted && j.master:
			t.master, t.makesMaster = j, true
		case c.Granted:
			t.claimed = append(t.claimed, j)
		case c.Failure != nil:
			t.remember(j.key, c.Failure)
			t.finish(j, c.Failure)
		case j.master:
			// Another replica is making it. The original is there, and waiting is not faster.
			t.finish(j, errAgain)
		default:
			elsewhere = append(elsewhere, j)
		}
	}
	return elsewhere
}

// findMaster looks once whether the picture's master is there, if any of the jobs has a use for it. It returns the job of
// making it where this task has to.
func (t *task) findMaster(ctx context.Context, jobs []*job) *job {
	if t.masterLooked {
		return nil
	}
	shape, k, ok := t.masterOf(t.src)
	if !ok {
		return nil
	}
	for _, j := range jobs {
		if !fromMaster(t.src, j.shape, shape) {
			continue
		}
		t.masterLooked = true
		if t.exists(ctx, k) || t.failed(k) != nil {
			return nil
		}
		master, isNew := t.joinMaster(t.src, shape, k, !t.background)
		if isNew {
			return master
		}
		t.master = master
		return nil
	}
	return nil
}

// await waits for a file that another replica makes, and makes it when that one has given up or died.
func (m *Maker) await(ctx context.Context, j *job) {
	look, claim := firstLook, firstClaim
	nextClaim := time.Now().Add(claim)
	for {
		select {
		case <-ctx.Done():
			m.finish(j, imaging.ErrClosed)
			return
		case <-time.After(look):
		}
		look = min(look*3/2, lastLook)
		if m.exists(ctx, j.key) {
			m.finish(j, nil)
			return
		}
		if time.Now().Before(nextClaim) {
			continue
		}
		t := &task{Maker: m, src: j.src, masterLooked: true}
		elsewhere := t.claim(ctx, []*job{j})
		t.make(ctx)
		if len(elsewhere) == 0 {
			return
		}
		claim = min(claim*2, lastClaim)
		nextClaim = time.Now().Add(claim)
	}
}

// make makes what was claimed.
func (t *task) make(ctx context.Context) {
	// Somebody may have finished between the look for the file and the claim.
	var claimed []*job
	for _, j := range t.claimed {
		if t.exists(ctx, j.key) {
			t.release([]*job{j})
			t.finish(j, nil)
			continue
		}
		claimed = append(claimed, j)
	}
	var fresh *job // the master, where it is made here
	if t.makesMaster {
		fresh = t.master
	}
	if len(claimed) == 0 {
		if fresh != nil {
			t.giveUp([]*job{fresh}, errAgain)
		}
		return
	}
	held := claimed
	if fresh != nil {
		held = append(claimed[:len(claimed):len(claimed)], fresh)
	}
	defer t.renew(ctx, held)()

	if fresh != nil {
		t.makeFromOriginal(ctx, claimed, fresh)
		return
	}
	var small, large []*job
	shape, _, ok := t.masterOf(t.src)
	for _, j := range claimed {
		if ok && fromMaster(t.src, j.shape, shape) {
			small = append(small, j)
		} else {
			large = append(large, j)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if len(large) > 0 {
			t.makeFromOriginal(ctx, large, nil)
		}
	}()
	if len(small) > 0 {
		t.makeFromMaster(ctx, small)
	}
	<-done
}

// renew keeps the claims until the function that it returns is called.
func (t *task) renew(ctx context.Context, jobs []*job) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	t.working.Go(func() {
		ticker := time.NewTicker(t.cfg.ClaimLifetime / 3)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if err := t.store.Renew(ctx, t.src.Ref, names(jobs), t.cfg.ClaimLifetime); err != nil && ctx.Err() == nil {
				t.cfg.Log.WarnContext(ctx, "claims on variants could not be renewed", "ref", t.src.Ref, "error", err)
			}
		}
	})
	return cancel
}

// giveUp ends jobs that cannot be made, and their claims. An error of the picture is remembered.
func (t *task) giveUp(jobs []*job, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), storeTimeout)
	defer cancel()
	var failed error
	if e := lasting(err); e != nil {
		for _, j := range jobs {
			t.remember(j.key, e)
		}
		failed = t.store.Fail(ctx, t.src.Ref, names(jobs), e, rememberFailure)
	} else {
		err = t.stopped(err)
		failed = t.store.Release(ctx, t.src.Ref, names(jobs))
	}
	if failed != nil {
		t.cfg.Log.WarnContext(ctx, "claims on variants are left to run out", "ref", t.src.Ref, "error", failed)
	}
	t.counts.failed.Add(uint64(len(jobs)))
	for _, j := range jobs {
		t.finish(j, err)
	}
}

// stopped says what the end of the work means to those who wait for it.
func (t *task) stopped(err error) error {
	switch {
	case t.ctx.Err() != nil && errors.Is(err, context.Canceled):
		return imaging.ErrClosed.Wrap(err)
	case t.background && errors.Is(err, imaging.ErrBusy):
		return errAgain
	}
	return err
}

// release ends claims.
func (t *task) release(jobs []*job) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), storeTimeout)
	defer cancel()
	err := t.store.Release(ctx, t.src.Ref, names(jobs))
	if err != nil && !errors.Is(err, blob.ErrNotFound) {
		t.cfg.Log.WarnContext(ctx, "claims on variants are left to run out", "ref", t.src.Ref, "error", err)
	}
}

func names(jobs []*job) []string {
	all := make([]string, len(jobs))
	for i, j := range jobs {
		all[i] = j.key.name
	}
	return all
}
