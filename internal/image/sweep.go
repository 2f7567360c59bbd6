package image

import (
	"context"
	"errors"
	"time"

	"github.com/kadr-app/kadr/internal/blob"
)

// sweepBatch is how many blobs are asked about at once.
const sweepBatch = 500

// SweepBlobs removes blobs older than grace that no image refers to (failed uploads, and deletions that a crash
// interrupted), and returns how many.
func (s *Service) SweepBlobs(ctx context.Context, grace time.Duration) (int, error) {
	if err := s.store.SweepReservations(ctx); err != nil {
		return 0, err
	}
	removed := 0
	var failed error
	for {
		refs, err := s.store.UnreferencedBlobs(ctx, grace, sweepBatch)
		if err != nil {
			return removed, err
		}
		progress := false
		for _, ref := range refs {
			ok, err := s.removeBlob(ctx, ref)
			if err != nil {
				failed = errors.Join(failed, err) // one that cannot be removed must not keep the others
			}
			if ok {
				removed, progress = removed+1, true
			}
		}
		if !progress || len(refs) < sweepBatch {
			return removed, failed
		}
	}
}

// SweepFiles removes files older than grace that no row knows: temporary files that a crash left, and blobs and variants
// whose row is gone (a database put back from a backup). It walks the whole store, and returns how many it removed. Variants
// of any age it shows to variants, in batches, which says how many of them it removed itself.
func (s *Service) SweepFiles(ctx context.Context, grace time.Duration, variants func(context.Context, []blob.Entry) (int, error)) (int, error) {
	removed, err := s.blobs.SweepTemp(ctx, grace)
	if err != nil {
		return removed, err
	}
	old := time.Now().Add(-grace)
	batch := make(map[blob.Ref]bool, sweepBatch)
	flush := func() error {
		n, err := s.removeUnknown(ctx, batch)
		removed += n
		clear(batch)
		return err
	}
	found := make([]blob.Entry, 0, sweepBatch)
	show := func() error {
		n, err := variants(ctx, found)
		removed += n
		found = found[:0]
		return err
	}
	err = s.blobs.Walk(ctx, func(e blob.Entry) error {
		if e.Variant != "" {
			if found = append(found, e); len(found) == sweepBatch {
				if err := show(); err != nil {
					return err
				}
			}
		}
		if e.Stray != "" || e.ModTime.After(old) {
			return nil
		}
		batch[e.Ref] = true
		if len(batch) == sweepBatch {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = show()
	}
	if err == nil {
		err = flush()
	}
	return removed, err
}

func (s *Service) removeUnknown(ctx context.Context, batch map[blob.Ref]bool) (int, error) {
	refs := make([]blob.Ref, 0, len(batch))
	for ref := range batch {
		refs = append(refs, ref)
	}
	known, err := s.store.KnownBlobs(ctx, refs)
	if err != nil {
		return 0, err
	}
	removed := 0
	for _, ref := range refs {
		if known[ref] {
			continue
		}
		ok, err := s.removeBlob(ctx, ref)
		if err != nil {
			return removed, err
		}
		if ok {
			removed++
		}
	}
	return removed, nil
}
