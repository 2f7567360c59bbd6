package doctor

import (
	"context"
	"fmt"

	"github.com/kadr-app/kadr/internal/blob"
)

// lead is a file, and those of its kind and blob that follow it, which the database is about to be asked for.
type lead struct {
	entry blob.Entry
	files int
	bytes int64
}

// examineFiles asks the database for every file. Variants of one blob follow each other in a walk, so they are one lead.
func (e *examination) examineFiles(ctx context.Context) error {
	leads := make([]lead, 0, e.page)
	err := e.blobs.Walk(ctx, func(entry blob.Entry) error {
		if entry.Stray != "" {
			e.tell(Finding{Kind: Stray, Path: entry.Stray, Detail: fmt.Sprintf("%d bytes", entry.Size)})
			return nil
		}
		if entry.Variant != "" {
			e.sum.Variants++
		}
		if n := len(leads); n > 0 {
			last := &leads[n-1]
			if last.entry.Ref == entry.Ref && (last.entry.Variant != "") == (entry.Variant != "") {
				last.files, last.bytes = last.files+1, last.bytes+entry.Size
				return nil
			}
			if n == e.page {
				if err := e.follow(ctx, leads); err != nil {
					return err
				}
				leads = leads[:0]
			}
		}
		leads = append(leads, lead{entry: entry, files: 1, bytes: entry.Size})
		return nil
	})
	if err != nil {
		return err
	}
	if err := e.follow(ctx, leads); err != nil {
		return err
	}
	return e.settleDoubts(ctx, 0)
}

// follow takes the second look at those leads that the database does not know.
func (e *examination) follow(ctx context.Context, leads []lead) error {
	if len(leads) == 0 {
		return nil
	}
	refs := make([]blob.Ref, len(leads))
	for i, l := range leads {
		refs[i] = l.entry.Ref
	}
	known, err := e.store.KnownBlobs(ctx, refs)
	if err != nil {
		return err
	}
	for _, l := range leads {
		if known[l.entry.Ref] {
			continue
		}
		confirm := func(ctx context.Context) error { return e.confirmOrphan(ctx, l) }
		if l.entry.Variant == "" {
			err = confirm(ctx)
		} else {
			err = e.doubtLater(ctx, confirm)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// confirmOrphan takes the second look at a file that no row knew.
//
// An upload inserts the row before it names the file, and a removal takes the file away before the row. So a file that
// is there before and after the database said that it knows no such blob is one that nobody works on, provided that it
// is the same file. A variant is named without a look at the row, but goes again at once when its blob is gone: that is
// what the time since the first look was for.
func (e *examination) confirmOrphan(ctx context.Context, l lead) error {
	ref := l.entry.Ref
	before, err := e.openEntry(ctx, l.entry)
	if err != nil {
		return err
	}
	defer before.close()
	if before.absent() || before.size() != l.entry.Size || !before.info.ModTime().Equal(l.entry.ModTime) {
		return nil // another file than the one that the walk met
	}
	if l.entry.Variant != "" { // with its blob there, both were reported as one
		original, err := e.open(ctx, ref)
		if err != nil {
			return err
		}
		defer original.close()
		if !original.absent() {
			return nil
		}
	}
	known, err := e.store.KnownBlobs(ctx, []blob.Ref{ref})
	if err != nil || known[ref] {
		return err
	}
	after, err := e.openEntry(ctx, l.entry)
	if err != nil {
		return err
	}
	defer after.close()
	if !after.same(before) {
		return nil
	}

	finding := Finding{Kind: Orphan, Ref: ref, Path: blob.Path(ref), Detail: fmt.Sprintf("%d bytes", l.bytes)}
	if l.entry.Variant != "" {
		finding.Path = blob.VariantPath(ref, l.entry.Variant)
		finding.Detail = fmt.Sprintf("%d variants of a blob that is gone, %d bytes", l.files, l.bytes)
	}
	if e.opts.Repair {
		switch {
		case e.noRows:
			// Doctor was pointed at an empty database more likely than somebody deleted every picture.
			finding.Blocked = "Not repaired: the database knows no file at all, so this may be the wrong database. Once " +
				"it has a picture, a repair removes what it does not know; so does the running server, in time."
		default:
			if finding.Repaired, err = e.remove(ctx, ref); err != nil || !finding.Repaired {
				return err
			}
		}
	}
	e.tell(finding)
	return nil
}

func (e *examination) openEntry(ctx context.Context, entry blob.Entry) (file, error) {
	if entry.Variant == "" {
		return e.open(ctx, entry.Ref)
	}
	return e.openVariant(ctx, entry.Ref, entry.Variant)
}
