package imaging

import (
	"context"
	"errors"
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
)

// Work is one request to a Pool that is over, for whoever counts or traces them.
type Work struct {
	Step     string // one of Steps
	Outcome  string // one of Outcomes
	Priority Priority
	Format   Format // of the source by its header; empty when that cannot be read
	Pixels   int64  // of the source by its header, all frames counted; 0 when that cannot be read
	Outputs  int    // pictures that were asked for
	Begun    time.Time
	Waited   time.Duration // for a decoder
	Worked   time.Duration // of a decoder; 0 when it never got one
}

// Steps are what a Pool can be asked for.
func Steps() []string { return []string{string(opProbe), string(opIngest), string(opRender)} }

// What may become of a request.
const (
	OutcomeOK        = "ok"
	OutcomeRefused   = "refused"   // the picture is at fault
	OutcomeMemory    = "memory"    // it takes more memory than a decoder may use
	OutcomeTimeout   = "timeout"   // it takes longer than a decoder may work
	OutcomeCrash     = "crash"     // two decoders died of it
	OutcomeBusy      = "busy"      // the queue was full
	OutcomeWithdrawn = "withdrawn" // nobody waited for it any more
	OutcomeClosed    = "closed"    // the pool was
	OutcomeError     = "error"     // we are at fault
)

// Outcomes are all of them.
func Outcomes() []string {
	return []string{
		OutcomeOK, OutcomeRefused, OutcomeMemory, OutcomeTimeout, OutcomeCrash, OutcomeBusy, OutcomeWithdrawn, OutcomeClosed, OutcomeError,
	}
}

func outcomeOf(err error) string {
	switch {
	case err == nil:
		return OutcomeOK
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return OutcomeWithdrawn
	case errors.Is(err, ErrBusy):
		return OutcomeBusy
	case errors.Is(err, ErrClosed):
		return OutcomeClosed
	case errors.Is(err, ErrTooSlow):
		return OutcomeTimeout
	case errors.Is(err, ErrCrashed):
		return OutcomeCrash
	case errors.Is(err, ErrTooLarge):
		return OutcomeMemory
	case apperr.KindOf(err) != apperr.Internal:
		return OutcomeRefused
	}
	return OutcomeError
}

// observation is a request that is not over.
type observation struct {
	observe func(context.Context, Work)
	ctx     context.Context // the request's, for as long as that lasts
	work    Work
	granted time.Time
}

func (p *Pool) begun(ctx context.Context, priority Priority, request wireRequest) *observation {
	return &observation{observe: p.config.Observe, ctx: ctx, work: Work{
		Step: string(request.Operation), Priority: priority, Outputs: len(request.Outputs), Begun: time.Now(),
	}}
}

// of says what is known of the source.
func (o *observation) of(outline outline) {
	o.work.Format = outline.format
	if outline.known() {
		o.work.Pixels = outline.pixels() * int64(max(outline.frames, 1))
	}
}

// got says that the request has a decoder.
func (o *observation) got() {
	o.granted = time.Now()
	o.work.Waited = o.granted.Sub(o.work.Begun)
}

// over tells whoever listens.
func (o *observation) over(err error) {
	if o.observe == nil {
		return
	}
	if o.granted.IsZero() {
		o.work.Waited = time.Since(o.work.Begun)
	} else {
		o.work.Worked = time.Since(o.granted)
	}
	o.work.Outcome = outcomeOf(err)
	o.observe(o.ctx, o.work)
}
