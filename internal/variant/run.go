package variant

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// flushInterval is how often uses are taken to the store.
	flushInterval = 10 * time.Second
	// trimInterval is how often it is asked how much there is, unless much was made.
	trimInterval = time.Minute
	// trimShare of the room for files is much.
	trimShare = 20
	// recordBatch is how many uses or files go to the store at once.
	recordBatch = 1000
	// maxScheduled is how many variants may wait to be made in the background.
	maxScheduled = 256
	// busyPause is how long the background keeps quiet when the decoders have enough to do.
	busyPause = time.Second
)

// Run makes what is scheduled, takes uses to the store, and evicts files, until ctx ends. Then it ends all work: who waits
// gets imaging.ErrClosed, as does everybody who asks for something new afterwards. What is there can still be opened.
func (m *Maker) Run(ctx context.Context) {
	var background sync.WaitGroup
	background.Go(func() { m.runScheduled(ctx) })
	ticker := time.NewTicker(flushInterval)
	defer ticker.Stop()
	var nextTrim time.Time
	for ctx.Err() == nil {
		m.flush(ctx)
		much := m.cfg.CacheBytes / trimShare
		if now := time.Now(); now.After(nextTrim) || m.grown.Load() > much {
			m.grown.Store(0)
			m.trim(ctx)
			nextTrim = now.Add(trimInterval)
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	m.mu.Lock()
	m.closed = true
	scheduled := m.scheduled
	m.scheduled = nil
	m.mu.Unlock()
	for _, j := range scheduled {
		m.finish(j, errAgain)
	}
	m.stop()
	background.Wait()
	m.working.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	m.flush(last)
}

// flush takes uses to the store. What it does not take is lost, which only makes the order of eviction less exact.
func (m *Maker) flush(ctx context.Context) {
	for uses := range slices.Chunk(m.uses.take(), recordBatch) {
		if err := m.store.Record(ctx, nil, uses); err != nil {
			if ctx.Err() == nil {
				m.cfg.Log.WarnContext(ctx, "uses of variants could not be recorded", "error", err)
			}
			return
		}
	}
}

// Schedule has a variant made when there is nothing more urgent. Nobody waits for it: when too much is scheduled already,
// or it cannot be made, nothing happens. It takes Run.
func (m *Maker) Schedule(src Source, shape Shape) {
	k := key{src.Ref, shape.Name()}
	if m.failed(k) != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.jobs[k] != nil || len(m.scheduled) >= maxScheduled {
		return
	}
	j := &job{key: k, src: src, shape: shape, done: make(chan struct{})}
	m.jobs[k] = j
	m.scheduled = append(m.scheduled, j)
	select {
	case m.wake <- struct{}{}:
	default: // it is awake
	}
}

// isScheduled tells whether a job waits in the background. The caller holds mu, as for unschedule.
func (m *Maker) isScheduled(j *job) bool { return slices.Contains(m.scheduled, j) }

func (m *Maker) unschedule(j *job) {
	m.scheduled = slices.DeleteFunc(m.scheduled, func(other *job) bool { return other == j })
}

// nextScheduled takes the job that was scheduled first, and those of the same picture with it.
func (m *Maker) nextScheduled() []*job {
	m.mu.Lock()
	defer m.mu.Unlock()
	var next []*job
	m.scheduled = slices.DeleteFunc(m.scheduled, func(j *job) bool {
		if len(next) == maxBatch || len(next) > 0 && next[0].key.ref != j.key.ref {
			return false
		}
		next = append(next, j)
		return true
	})
	return next
}

// runScheduled makes what is scheduled, one picture at a time: the queue of the decoders would not take more.
func (m *Maker) runScheduled(ctx context.Context) {
	for {
		jobs := m.nextScheduled()
		if len(jobs) == 0 {
			select {
			case <-ctx.Done():
				return
			case <-m.wake:
			}
			continue
		}
		busy := m.makeScheduled(m.ctx, jobs)
		pause := time.Duration(0)
		if busy {
			pause = busyPause
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// makeScheduled makes variants of one picture, unless they are there or somebody else is at them. It reports whether the
// decoders were too busy for any.
func (m *Maker) makeScheduled(ctx context.Context, jobs []*job) (busy bool) {
	t := &task{Maker: m, src: jobs[0].src, background: true}
	var missing []*job
	for _, j := range jobs {
		if m.exists(ctx, j.key) {
			m.finish(j, nil)
		} else {
			missing = append(missing, j)
		}
	}
	if len(missing) == 0 {
		return false
	}
	for _, j := range t.claim(ctx, missing) {
		m.finish(j, errAgain)
	}
	claimed := t.claimed
	t.make(ctx)
	for _, j := range claimed {
		busy = busy || j.err == errAgain //nolint:errorlint // it is never wrapped
	}
	return busy
}
