package variant

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/kadr-app/kadr/internal/blob"
)

const (
	// shortIdle is how long a file is left alone even where what was used within Config.Idle alone takes too much room.
	shortIdle = 10 * time.Second
	// evictBatch is how many files are struck out at once.
	evictBatch = 500
)

// trim evicts files until they take 90 % of the room that they may take, if they take more than all of it.
func (m *Maker) trim(ctx context.Context) {
	limit := m.cfg.CacheBytes
	if limit == 0 {
		return
	}
	total, err := m.store.TotalBytes(ctx)
	if err == nil && total > limit {
		total, err = m.evict(ctx, total, limit/10*9, m.cfg.Idle)
	}
	if err == nil && total > limit {
		// What is in use does not fit. The disk counts for more than the work to make it again.
		total, err = m.evict(ctx, total, limit, min(shortIdle, m.cfg.Idle))
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		m.cfg.Log.ErrorContext(ctx, "variants could not be evicted", "error", err)
	} else if total > limit {
		m.cfg.Log.WarnContext(ctx, "variants take more room than they may, and all of them are in use", "bytes", total, "limit", limit)
	}
}

// evict removes files that were idle, until those that stay have no more than target bytes, and returns how many that is.
// The rows are struck out first, each by one replica, which alone removes the file: one that is made again meanwhile was not
// there before.
func (m *Maker) evict(ctx context.Context, total, target int64, idle time.Duration) (int64, error) {
	files := 0
	before := total
	for total > target {
		evicted, err := m.store.Evict(ctx, total-target, idle, evictBatch)
		if err != nil {
			return total, err
		}
		if len(evicted) == 0 {
			break
		}
		for _, e := range evicted {
			total -= e.Size
			files++
			m.counts.evicted.Add(1)
			m.counts.evictedBytes.Add(uint64(max(e.Size, 0)))
			m.digests.Remove(key{e.Ref, e.Name})
			if err := m.blobs.RemoveVariant(ctx, e.Ref, e.Name); err != nil {
				// The walk takes it into the accounts again.
				m.cfg.Log.WarnContext(ctx, "an evicted variant could not be removed", "ref", e.Ref, "name", e.Name, "error", err)
			}
		}
	}
	if files > 0 {
		m.cfg.Log.InfoContext(ctx, "variants evicted", "files", files, "bytes", before-total)
	}
	return total, nil
}

// Adopt looks at variants' files that a walk through the store has found: it removes those of older generations that were
// last written more than grace ago, and takes into the accounts those that are not in them. It returns how many it removed.
func (m *Maker) Adopt(ctx context.Context, found []blob.Entry, grace time.Duration) (removed int, err error) {
	old := time.Now().Add(-grace)
	var ours []Entry
	for _, e := range found {
		switch {
		case e.Variant == "":
		case strings.HasPrefix(e.Variant, generation+"-"):
			ours = append(ours, Entry{Ref: e.Ref, Name: e.Variant, Size: e.Size})
		case e.ModTime.Before(old):
			if err := m.blobs.RemoveVariant(ctx, e.Ref, e.Variant); err != nil {
				return removed, err
			}
			removed++
		}
	}
	for entries := range slices.Chunk(ours, recordBatch) {
		adopted, err := m.store.Adopt(ctx, entries)
		if err != nil {
			return removed, err
		}
		if adopted > 0 {
			m.grown.Add(1) // there is more than was known
		}
	}
	return removed, nil
}

// Sweep forgets failures and claims that are over, and returns how many.
func (m *Maker) Sweep(ctx context.Context) (int, error) { return m.store.Sweep(ctx) }
