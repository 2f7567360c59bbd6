// Package doctor compares what the database says about files with what is on the disk, in both directions, and mends
// what can be mended.
//
// It exists because rows and bytes live in two places that fail apart: a disk loses a sector, a backup brings back one
// of the two and not the other, somebody tidies up a folder by hand. Nothing in the server's way looks for that, and a
// picture that is lost should be found by its keeper and not by whoever follows a link.
//
// The server may be at work meanwhile, so what looks wrong at first is only a suspicion. It is looked into once more with
// the blob's row locked, which keeps uploads and removals of the same bytes away, and with the very file that was read;
// and where not even that is certain, a moment later. What is reported is therefore so, however busy the server is.
//
// Repairs never delete a picture and never throw away bytes that a picture refers to: damaged ones go to the quarantine.
package doctor

import (
	"context"
	"time"

	"github.com/kadr-app/kadr/internal/blob"
)

// MaxImages is how many of the images that refer to a blob a Finding names at most.
const MaxImages = 20

const (
	// pageSize is how many rows, or files, are looked at between two questions to the database.
	pageSize = 500
	// settleTime is how long a suspicion that a lock does not settle waits for its second look: far longer than the moment
	// between a picture's deletion and the removal of its bytes, or between a variant's name and the check that its blob
	// is still there.
	settleTime = 2 * time.Second
	// maxDoubts is how many suspicions may wait at a time; they take some 2 MB.
	maxDoubts = 10_000
	// bufferSize is how much of a file is read at once, in bytes.
	bufferSize = 256 << 10
)

// Blob is what the database says about a blob.
type Blob struct {
	Ref       blob.Ref
	Size      int64      // bytes
	LostAt    *time.Time // since when the bytes are known to be missing or damaged; nil while they are sound
	CreatedAt time.Time
	// Referenced says that an image refers to the blob, Reserved that an upload is about to.
	Referenced, Reserved bool
	// References is how many images refer to the blob and Images the first MaxImages of them; Store.LockBlob fills both.
	References int64
	Images     []ImageRef
}

// ImageRef names a picture.
type ImageRef struct {
	ID          string
	AccountName string
}

// Usage is what is on record of an account's use of storage, and what its pictures add up to, at one moment.
type Usage struct {
	AccountID, AccountName string
	OnRecord               bool  // false when there is no record at all
	Bytes, Images          int64 // on record
	SumBytes, SumImages    int64 // of its pictures
}

// Differs reports whether the record is wrong.
func (u Usage) Differs() bool {
	return !u.OnRecord || u.Bytes != u.SumBytes || u.Images != u.SumImages
}

// Correction is what is to be written to a blob's row: that the bytes are Lost, or that they are sound and Size bytes.
type Correction struct {
	Lost bool
	Size int64
}

// Store is the database's side of an examination.
type Store interface {
	// Totals returns how many blobs have a row, and how many bytes these stand for.
	Totals(ctx context.Context) (blobs, bytes int64, err error)
	// Blobs returns up to limit blobs in the order of their refs, after the given one or from the first; without Images.
	Blobs(ctx context.Context, after *blob.Ref, limit int) ([]Blob, error)
	// LockBlob calls look with the blob's row locked, so that meanwhile no removal of the blob runs and no upload
	// reserves it; one that reserved it before may be under way. It writes the correction that look returns, if any,
	// before it lets go. look must not use the Store and is not called when there is no such row. After a deadlock look
	// is called again.
	LockBlob(ctx context.Context, ref blob.Ref, look func(context.Context, Blob) (*Correction, error)) error
	// RemoveBlob calls remove and then forgets the blob, unless an image or a reservation refers to it; it reports
	// whether it did. While remove runs nobody can reserve the blob, and it need not have a row.
	RemoveBlob(ctx context.Context, ref blob.Ref, remove func(context.Context) error) (bool, error)
	// KnownBlobs returns those of refs that have a row.
	KnownBlobs(ctx context.Context, refs []blob.Ref) (map[blob.Ref]bool, error)
	// Usages returns up to limit accounts in the order of their ids, after the given one ("" for the first).
	Usages(ctx context.Context, afterAccountID string, limit int) ([]Usage, error)
	// RepairUsage puts on record what the account's pictures add up to, and reports whether the account is there.
	RepairUsage(ctx context.Context, accountID string) (bool, error)
}

// Options say how to examine; the zero value compares names and sizes, and changes nothing.
type Options struct {
	// Deep reads every file and compares its SHA-256.
	Deep bool
	// Repair mends what can be mended; Finding.Repaired says what was.
	Repair bool
	// Progress, when set, hears after each blob how much is done: in bytes with Deep, otherwise in blobs. Files that no
	// row knows and accounts come after that and don't count. total grows when the server takes in more meanwhile.
	Progress func(done, total int64)
}

// Doctor examines one database and one storage.
type Doctor struct {
	store  Store
	blobs  blob.Store
	page   int
	settle time.Duration
}

// New returns a Doctor over the two places that have to agree.
func New(store Store, blobs blob.Store) *Doctor {
	return &Doctor{store: store, blobs: blobs, page: pageSize, settle: settleTime}
}

// Examine compares both sides, calls report with each thing that is wrong, one after the other, and returns the sum of
// it. Memory stays the same however much there is. It takes about as long as a walk through all files, with Deep as long
// as reading them.
//
// An error means that the examination could not be finished (ctx ended, the database or the disk did not answer, a file
// may not be read by this user): what was reported and repaired until then, and the Summary, hold.
func (d *Doctor) Examine(ctx context.Context, opts Options, report func(Finding)) (Summary, error) {
	e := &examination{Doctor: d, opts: opts, report: report, buf: make([]byte, bufferSize)}
	err := e.run(ctx)
	return e.sum, err
}

// examination is one run of a Doctor.
type examination struct {
	*Doctor
	opts   Options
	report func(Finding)

	sum         Summary
	buf         []byte
	doubts      []doubt
	done, total int64
	noRows      bool // there was no blob's row when the examination began
}

func (e *examination) run(ctx context.Context) error {
	blobs, bytes, err := e.store.Totals(ctx)
	if err != nil {
		return err
	}
	e.noRows = blobs == 0
	e.total = blobs
	if e.opts.Deep {
		e.total = bytes
	}
	for _, pass := range []func(context.Context) error{e.examineRows, e.examineFiles, e.examineUsage} {
		if err := pass(ctx); err != nil {
			return err
		}
	}
	return nil
}

// tell reports a finding and counts it.
func (e *examination) tell(f Finding) {
	e.sum.Findings++
	if f.Repaired {
		e.sum.Repaired++
	}
	e.report(f)
}

func (e *examination) progress(b Blob) {
	if e.opts.Progress == nil {
		return
	}
	if e.opts.Deep {
		e.done += b.Size
	} else {
		e.done++
	}
	e.total = max(e.total, e.done)
	e.opts.Progress(e.done, e.total)
}

// doubt is a suspicion that waits for its second look.
type doubt struct {
	since  time.Time
	settle func(context.Context) error
}

// doubtLater keeps a suspicion until it has settled. Usually the rest of the work fills that time; when there are very
// many, the oldest is waited for, so that they don't fill the memory.
func (e *examination) doubtLater(ctx context.Context, settle func(context.Context) error) error {
	e.doubts = append(e.doubts, doubt{since: time.Now(), settle: settle})
	return e.settleDoubts(ctx, maxDoubts)
}

// settleDoubts looks into the suspicions that have settled, and waits for more to settle while there are more than keep.
func (e *examination) settleDoubts(ctx context.Context, keep int) error {
	for len(e.doubts) > 0 {
		next := e.doubts[0]
		wait := e.settle - time.Since(next.since)
		if wait > 0 {
			if len(e.doubts) <= keep {
				return nil
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(wait):
			}
		}
		e.doubts[0] = doubt{}
		e.doubts = e.doubts[1:]
		if err := next.settle(ctx); err != nil {
			return err
		}
	}
	return nil
}
