package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/kadr-app/kadr/internal/blob"
)

// examineRows looks for the file of every row.
func (e *examination) examineRows(ctx context.Context) error {
	var after *blob.Ref
	for {
		page, err := e.store.Blobs(ctx, after, e.page)
		if err != nil {
			return err
		}
		for _, b := range page {
			if err := ctx.Err(); err != nil {
				return err
			}
			e.sum.Blobs++
			e.sum.Bytes += b.Size
			suspicious, err := e.suspicious(ctx, b)
			if err != nil {
				return err
			}
			switch {
			case suspicious && b.Referenced:
				err = e.confirmRow(ctx, b.Ref)
			case suspicious:
				err = e.doubtLater(ctx, func(ctx context.Context) error { return e.confirmUnreferenced(ctx, b) })
			}
			if err != nil {
				return err
			}
			e.progress(b)
		}
		if len(page) < e.page {
			return e.settleDoubts(ctx, 0)
		}
		after = &page[len(page)-1].Ref
	}
}

// suspicious says whether a row deserves a second look. The row may be out of date by now, so it errs on that side.
func (e *examination) suspicious(ctx context.Context, b Blob) (bool, error) {
	switch {
	case !b.Referenced:
		return !b.Reserved, nil // an upload may have its file or not
	case b.LostAt != nil:
		return true, nil
	}
	f, err := e.open(ctx, b.Ref)
	if err != nil {
		return false, err
	}
	defer f.close()
	if f.absent() || f.size() != b.Size {
		return true, nil
	}
	if !e.opts.Deep {
		return false, nil
	}
	fault, err := e.fault(ctx, f, b.Ref)
	return fault != "", err
}

// confirmAttempts bounds how often a file is read anew that was replaced between its reading and the lock.
const confirmAttempts = 5

// confirmRow takes the second look at a blob that pictures refer to, and reports and repairs what is wrong.
func (e *examination) confirmRow(ctx context.Context, ref blob.Ref) error {
	for range confirmAttempts {
		if certain, err := e.tryConfirmRow(ctx, ref); certain || err != nil {
			return err
		}
	}
	return nil // somebody puts a new file there all the time, so somebody takes care of it
}

// tryConfirmRow reads the file, locks the row and then judges. The reading comes before, for nobody should wait for it;
// the file is kept open, so that the one found under the lock can be known to be the one that was read.
//
// Whatever the options are, only its hash makes a file damaged or sound here: a wrong size may be the row's fault.
func (e *examination) tryConfirmRow(ctx context.Context, ref blob.Ref) (certain bool, err error) {
	f, err := e.open(ctx, ref)
	if err != nil {
		return false, err
	}
	defer f.close()
	fault := ""
	if !f.absent() {
		if fault, err = e.fault(ctx, f, ref); err != nil {
			return false, err
		}
	}
	certain = true // also when the row is gone
	var found *Finding
	err = e.store.LockBlob(ctx, ref, func(ctx context.Context, b Blob) (*Correction, error) {
		found = nil
		same, err := e.stillThere(ctx, f, ref)
		certain = same
		if err != nil || !same {
			return nil, err
		}
		if !b.Referenced {
			return nil, nil // the picture was deleted meanwhile
		}
		finding, correction := judge(b, f, fault)
		if finding.Kind == "" {
			return nil, nil
		}
		found = &finding
		if !e.opts.Repair || correction == nil {
			return nil, nil
		}
		if finding.Kind == Damaged {
			// An upload that reserved the blob before we locked it may be putting a sound file there right now, and
			// nobody else may touch the file then.
			if b.Reserved {
				found.Blocked = "Not repaired: an upload of the same bytes is under way and may heal it; look again in a quarter of an hour."
				return nil, nil
			}
			if err := e.blobs.Quarantine(ctx, ref); err != nil && !errors.Is(err, blob.ErrNotFound) {
				return nil, err
			}
		}
		found.Repaired = true
		return correction, nil
	})
	if err != nil {
		return false, err
	}
	if found != nil {
		e.tell(*found)
	}
	return certain, nil
}

// judge says what is wrong with a blob that pictures refer to, and how its row would be corrected.
func judge(b Blob, f file, fault string) (Finding, *Correction) {
	finding := Finding{Ref: b.Ref, Images: b.Images, References: b.References, Path: blob.Path(b.Ref)}
	var correction *Correction
	switch {
	case f.absent() && b.LostAt != nil:
		finding.Kind, finding.Detail = Lost, since(*b.LostAt)
	case f.absent():
		finding.Kind, correction = Missing, &Correction{Lost: true}
	case fault != "":
		finding.Kind, finding.Detail, correction = Damaged, fault, &Correction{Lost: true}
		if f.size() != b.Size {
			finding.Detail = fmt.Sprintf("it has %d bytes instead of %d", f.size(), b.Size)
		}
	case b.LostAt != nil && !b.Reserved: // or else the upload that brought the file is about to take the mark away
		finding.Kind, finding.Detail, correction = FoundAgain, since(*b.LostAt), &Correction{Size: f.size()}
	case b.LostAt == nil && f.size() != b.Size:
		finding.Kind, correction = WrongSize, &Correction{Size: f.size()}
		finding.Detail = fmt.Sprintf("its %d bytes are on record as %d", f.size(), b.Size)
	}
	return finding, correction
}

// confirmUnreferenced looks whether nothing refers to the blob still. Between a picture's deletion and the removal of its
// bytes that is so for a moment, and bytes that come and go may be met in such a moment twice; but then it is not the
// same row.
func (e *examination) confirmUnreferenced(ctx context.Context, seen Blob) error {
	unreferenced := false
	err := e.store.LockBlob(ctx, seen.Ref, func(_ context.Context, b Blob) (*Correction, error) {
		unreferenced = !b.Referenced && !b.Reserved && b.CreatedAt.Equal(seen.CreatedAt)
		return nil, nil
	})
	if err != nil || !unreferenced {
		return err
	}
	finding := Finding{Kind: Unreferenced, Ref: seen.Ref, Path: blob.Path(seen.Ref)}
	if e.opts.Repair {
		finding.Repaired, err = e.remove(ctx, seen.Ref)
		if err != nil || !finding.Repaired { // or it came into use again, and all is well
			return err
		}
	}
	e.tell(finding)
	return nil
}

func (e *examination) remove(ctx context.Context, ref blob.Ref) (bool, error) {
	return e.store.RemoveBlob(ctx, ref, func(ctx context.Context) error { return e.blobs.Remove(ctx, ref) })
}
