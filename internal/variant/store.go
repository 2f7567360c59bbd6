package variant

import (
	"context"
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/blob"
)

// Store keeps the accounts of the variants' files, for all servers together. Whether a variant is there is decided by its
// file alone: a row says how large it is, when it was used last, who is making it, or why it cannot be made. Every method
// is one atomic write or one consistent read.
type Store interface {
	// Claim asks for the right to make variants of a blob, for a lifetime; whoever has it renews it until it is done. A
	// variant that has a row and no claim is claimed too: only who did not find the file asks. blob.ErrNotFound when there
	// is no such blob.
	Claim(ctx context.Context, ref blob.Ref, names []string, lifetime time.Duration) ([]Claim, error)
	// Renew makes claims last for another lifetime.
	Renew(ctx context.Context, ref blob.Ref, names []string, lifetime time.Duration) error
	// Release gives up claims that led to nothing; what was there before stays.
	Release(ctx context.Context, ref blob.Ref, names []string) error
	// Fail ends claims on variants that cannot be made, and remembers why.
	Fail(ctx context.Context, ref blob.Ref, names []string, failure *apperr.Error, remember time.Duration) error

	// Record takes down files that were made, which ends their claims and failures and counts as a use, and files that were
	// used. Those of blobs that are gone are left out, and so are uses within a minute of one that is on record.
	Record(ctx context.Context, made []Entry, used []Use) error
	// Adopt takes down files that were found and have no row. They count as used just now.
	Adopt(ctx context.Context, found []Entry) (int, error)
	// TotalBytes is the size of all files on record.
	TotalBytes(ctx context.Context) (int64, error)
	// Evict strikes out the files that were used least recently, until those struck out have at least the given size
	// together or there are limit of them, and returns them. What was used within the last idle is left.
	Evict(ctx context.Context, size int64, idle time.Duration, limit int) ([]Entry, error)
	// Sweep forgets failures and claims that are over and led to no file, and returns how many.
	Sweep(ctx context.Context) (int, error)

	// SigningKeys returns the keys that signatures may be made with: the current one first, then the one before it.
	SigningKeys(ctx context.Context) ([][]byte, error)
	// RotateSigningKey makes key the current one. The one that was stays valid until the next rotation.
	RotateSigningKey(ctx context.Context, key []byte) error
}

// Entry is a variant's file on record.
type Entry struct {
	Ref  blob.Ref
	Name string
	Size int64 // bytes
}

// Use says that a variant was sent.
type Use struct {
	Ref  blob.Ref
	Name string
	At   time.Time
}

// Claim is the answer to one name of a Store.Claim.
type Claim struct {
	Name string
	// Granted: the caller is to make it. Otherwise somebody else is at it, or Failure says why it cannot be made.
	Granted bool
	Failure *apperr.Error
}
