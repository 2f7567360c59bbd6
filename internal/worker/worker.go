// Package worker runs what nobody waits for: the sweeps that remove what is no longer needed, and the background work of the
// variants. Every sweep may run on every replica at any time, since what it removes is claimed row by row in the database, or,
// where there are no rows, under a lock of the storage.
package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/image"
	"github.com/kadr-app/kadr/internal/upload"
	"github.com/kadr-app/kadr/internal/variant"
)

// Config says how often and how eagerly to sweep.
type Config struct {
	Interval time.Duration // between sweeps
	Grace    time.Duration // how old a file or blob that nothing refers to has to be
	// Observe is told of every sweep when it is over. It must not block. It may be nil.
	Observe func(Swept)
}

// The sweeps' names.
const (
	SweepDeleted = "deleted" // the bytes of pictures that were deleted in bulk
	SweepBlobs   = "blobs"   // blobs that nothing refers to
	SweepRows    = "rows"    // of sessions, invites, limits and idempotency keys that are over
	SweepClaims  = "claims"  // on variants, and failures of them, that are over
	SweepUploads = "uploads" // in parts, that nobody goes on with
	SweepFiles   = "files"   // that no row knows
)

// Sweeps are all of them.
func Sweeps() []string {
	return []string{SweepDeleted, SweepBlobs, SweepRows, SweepClaims, SweepUploads, SweepFiles}
}

// Swept is a sweep that is over.
type Swept struct {
	Name    string
	Removed int
	Took    time.Duration
	Err     error
}

// Worker sweeps until it is told to stop.
type Worker struct {
	images   *image.Service
	uploads  *upload.Store
	variants *variant.Maker
	accounts *account.Service
	cfg      Config
	log      *slog.Logger
}

// New returns a Worker; Run starts it.
func New(images *image.Service, uploads *upload.Store, variants *variant.Maker, accounts *account.Service, cfg Config, log *slog.Logger) *Worker {
	return &Worker{images: images, uploads: uploads, variants: variants, accounts: accounts, cfg: cfg, log: log}
}

// walkShare bounds the part of the time that walks through the whole store may take: one after 20 times its own length.
const walkShare = 20

// Run does the variants' background work, and sweeps every Interval, and at once when pictures were deleted in bulk, until
// ctx ends.
func (w *Worker) Run(ctx context.Context) {
	var variants sync.WaitGroup
	defer variants.Wait()
	variants.Go(func() { w.variants.Run(ctx) })
	ticker := time.NewTicker(w.cfg.Interval)
	defer ticker.Stop()
	var nextWalk time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.images.Reclaims():
			w.sweep(ctx, SweepDeleted, "deleted pictures' bytes", func(ctx context.Context) (int, error) { return w.images.SweepBlobs(ctx, 0) })
			continue
		case <-ticker.C:
		}
		w.sweep(ctx, SweepBlobs, "unreferenced blobs", func(ctx context.Context) (int, error) { return w.images.SweepBlobs(ctx, w.cfg.Grace) })
		w.sweep(ctx, SweepRows, "expired rows", func(ctx context.Context) (int, error) {
			swept, err := w.accounts.Sweep(ctx)
			return int(swept.Sessions + swept.Invites + swept.Limits + swept.IdempotencyKeys), err
		})
		w.sweep(ctx, SweepClaims, "claims and failures of variants", w.variants.Sweep)
		w.sweep(ctx, SweepUploads, "expired uploads", w.uploads.Sweep)
		if start := time.Now(); start.After(nextWalk) {
			w.sweep(ctx, SweepFiles, "orphan files", func(ctx context.Context) (int, error) {
				return w.images.SweepFiles(ctx, w.cfg.Grace, func(ctx context.Context, found []blob.Entry) (int, error) {
					return w.variants.Adopt(ctx, found, w.cfg.Grace)
				})
			})
			nextWalk = time.Now().Add(walkShare * time.Since(start))
		}
	}
}

func (w *Worker) sweep(ctx context.Context, name, what string, run func(context.Context) (int, error)) {
	start := time.Now()
	removed, err := run(ctx)
	if w.cfg.Observe != nil && ctx.Err() == nil {
		w.cfg.Observe(Swept{Name: name, Removed: removed, Took: time.Since(start), Err: err})
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		w.log.ErrorContext(ctx, "sweep failed", "what", what, "error", err)
	case removed > 0:
		w.log.InfoContext(ctx, "swept", "what", what, "removed", removed)
	}
}
