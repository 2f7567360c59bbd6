package variant

import (
	"context"
	"errors"
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/imaging"
)

// job is one variant in the making, and all who wait for it.
type job struct {
	key    key
	src    Source
	shape  Shape
	master bool // it is the picture's master

	asked  bool          // it counts in Maker.waiting
	done   chan struct{} // closed when there is a file, or unkept, or err
	unkept []byte        // the picture itself, where there was no room to keep it
	err    error
}

// batch is the jobs of one picture that are begun together.
type batch struct {
	src   Source
	jobs  []*job
	asker context.Context // of who asked for the first of them
}

// maxBatch leaves room for a master beside what was asked for.
const maxBatch = imaging.MaxOutputs - 1

// errAgain ends a job in the background that is not worth going on with. Whoever came to wait for it asks again.
var errAgain = errors.New("variant: not made in the background")

// busyAfter is when those who find the gate closed should come back.
const busyAfter = 2 * time.Second

// ask returns the job that makes a variant, which it may have begun.
func (m *Maker) ask(ctx context.Context, src Source, shape Shape, k key) (*job, error) {
	if err := m.failed(k); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.jobs[k]
	if j != nil && !m.isScheduled(j) {
		return j, nil
	}
	switch {
	case m.closed:
		return nil, imaging.ErrClosed
	case m.waiting >= m.cfg.MaxWaiting:
		return nil, imaging.ErrBusy.After(busyAfter)
	}
	if j == nil {
		j = &job{key: k, src: src, shape: shape, done: make(chan struct{})}
		m.jobs[k] = j
	} else {
		m.unschedule(j) // somebody waits for it now
	}
	j.asked = true
	m.waiting++

	b := m.gathering[k.ref]
	if b == nil || len(b.jobs) == maxBatch {
		b = &batch{src: src, asker: ctx}
		m.gathering[k.ref] = b
		m.working.Go(func() { m.gather(b) })
	}
	b.jobs = append(b.jobs, j)
	return j, nil
}

// joinMaster returns the job that makes a master, and whether it is a new one, which the caller has to see to. It is nil
// when nobody is at it and begin is false: in the background a master would keep those waiting who could use it.
func (m *Maker) joinMaster(src Source, shape Shape, k key, begin bool) (j *job, isNew bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if j := m.jobs[k]; j != nil || !begin || m.closed {
		return j, false
	}
	j = &job{key: k, src: src, shape: shape, master: true, done: make(chan struct{})}
	m.jobs[k] = j
	return j, true
}

// finish ends a job: there is a file, or err says why there is none.
func (m *Maker) finish(j *job, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	j.err = err
	if j.asked {
		m.waiting--
	}
	delete(m.jobs, j.key)
	close(j.done)
}

// failure is why a variant cannot be made, for as long as it is not tried again.
type failure struct {
	err   *apperr.Error
	until time.Time
}

// How long it is remembered that a picture cannot be made: by all replicas, and by this one without asking the others.
const (
	rememberFailure = 10 * time.Minute
	failureLifetime = 30 * time.Second
)

// failed returns why a variant cannot be made, as far as this process knows.
func (m *Maker) failed(k key) error {
	f, ok := m.failures.Get(k)
	if !ok {
		return nil
	}
	if time.Now().After(f.until) {
		m.failures.Remove(k)
		return nil
	}
	return f.err
}

func (m *Maker) remember(k key, err *apperr.Error) {
	m.failures.Add(k, failure{err, time.Now().Add(failureLifetime)})
}

// lasting returns the error of the picture in err, which another try would not change; nil when there is none.
func lasting(err error) *apperr.Error {
	var e *apperr.Error
	if !errors.As(err, &e) {
		return nil
	}
	switch e.Kind {
	case apperr.Unprocessable, apperr.Unsupported, apperr.Invalid:
		return e
	default:
		return nil
	}
}
