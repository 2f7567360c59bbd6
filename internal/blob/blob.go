// Package blob keeps bytes that are known by their SHA-256: the pictures themselves and the variants made from them.
//
// A blob has no name, no owner and no history, so it is stored once however many accounts upload it, it can be checked
// at any time against the name it lies under, and it never changes. Who refers to a blob is the database's business;
// this package knows files only.
//
// Bytes come in by two steps, because a stranger's bytes must be looked at before they are kept. Stage streams them
// into a temporary file that nobody can see, while their hash runs; Commit gives the file its place and returns only
// once it would survive a power cut. What is staged and never committed goes away.
//
// Store is the contract, Dir keeps it on a local file system, and blobtest.Run is the suite that every Store passes.
package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
)

// The errors that have a name. They match by errors.Is; each carries its cause for the log.
var (
	// ErrNotFound (NotFound) says that the store holds no such blob.
	ErrNotFound = apperr.New(apperr.NotFound, "blob_not_found", "The file is not here.")
	// ErrVariantNotFound (NotFound) says that the variant was never made, or was lost; make it again.
	ErrVariantNotFound = apperr.New(apperr.NotFound, "variant_not_found", "This variant of the file is not here.")
	// ErrTooLarge (TooLarge) says that more bytes came than the limit allows.
	ErrTooLarge = apperr.New(apperr.TooLarge, "file_too_large", "The file is larger than allowed.")
	// ErrStorageFull (InsufficientStorage) says that the disk or its quota has no room left.
	ErrStorageFull = apperr.New(apperr.InsufficientStorage, "storage_full",
		"There is no room left to store files. Try again later.").After(time.Minute)
	// ErrBadRef (Invalid) says that a text is not a Ref.
	ErrBadRef = apperr.New(apperr.Invalid, "blob_ref_invalid", "This is not a SHA-256 in lower-case hexadecimal.")
	// ErrBadVariant (Invalid) says that a variant's name breaks the rule in CheckVariantName.
	ErrBadVariant = apperr.New(apperr.Invalid, "variant_name_invalid", "This is not the name of a variant.")
)

// Store keeps blobs and their variants. Every method may be called by many goroutines at once, and by several
// processes on one storage. An error without a name (apperr.Internal) means that the storage itself failed.
//
// The caller owes one thing: no Commit of a ref runs while Remove or Quarantine of the same ref runs, in any process.
// Kadr's callers hold a claim on the ref in PostgreSQL for that. Everything else may race.
type Store interface {
	// Stage reads r to its end into a temporary file. It takes the same memory however much comes.
	//
	// More than limit bytes are ErrTooLarge as soon as the first byte too many is read; a negative limit counts as 0.
	// An error of r is returned wrapped (only a plain io.EOF is an end, so a body that was cut short is an error), and
	// so is ctx's once it is done. A Read that blocks is not interrupted: close its source. A full disk is
	// ErrStorageFull. After any error nothing is left behind. Otherwise the caller owes a Discard.
	Stage(ctx context.Context, r io.Reader, limit int64) (*Staged, error)

	// Commit keeps what was staged under its Ref. When it returns nil the bytes survive kill -9 and power loss. A blob
	// that is already there is checked, replaced if it is damaged, and made durable like a new one. ctx is looked at
	// before there is anything to see of the blob; from then on Commit runs to its end.
	//
	// After an error the blob may or may not be there. Discard, and stage again rather than committing again: the
	// operating system may have dropped what it failed to write. Errors: ErrStorageFull.
	Commit(ctx context.Context, s *Staged) error

	// Open opens a blob for reading; it is a regular file, so it can seek and can be passed to another process. It
	// stays readable when the blob is removed meanwhile. The caller closes it. Errors: ErrNotFound.
	Open(ctx context.Context, ref Ref) (*os.File, error)

	// Remove deletes a blob and every variant of it; what is absent is no error, so it can be repeated until it
	// succeeds. A power cut right afterwards may bring the bytes back, as a blob that nothing refers to.
	Remove(ctx context.Context, ref Ref) error

	// NewVariant starts a variant of a blob, which need not be committed yet: an upload makes its thumbnails before it is
	// known whether it stays. It has to be there when the variant is committed, or that is ErrNotFound. The caller owes a
	// Discard. Errors: ErrBadVariant, ErrStorageFull.
	NewVariant(ctx context.Context, ref Ref, name string) (*Variant, error)

	// OpenVariant opens a variant for reading, as Open does a blob. Variants may be lost (they are not made durable)
	// but are never torn: what opens is whole. Errors: ErrBadVariant, ErrVariantNotFound.
	OpenVariant(ctx context.Context, ref Ref, name string) (*os.File, error)

	// RemoveVariant deletes a variant; one that is absent is no error. Who has it open can go on reading, and it may be
	// made again at the same time. Errors: ErrBadVariant.
	RemoveVariant(ctx context.Context, ref Ref, name string) error

	// Walk calls fn for every blob, then every variant, and for every file among them that does not belong. What comes
	// or goes during the walk may be seen or not. The first error of fn or ctx ends it and is returned.
	Walk(ctx context.Context, fn func(Entry) error) error

	// SweepTemp deletes temporary files that nobody has written to for olderThan, left by processes that died, and
	// says how many. olderThan must exceed the longest time between the start of a slow upload's pause and its Commit.
	SweepTemp(ctx context.Context, olderThan time.Duration) (int, error)

	// Quarantine takes a blob whose bytes were found damaged out of the store and keeps them aside, whatever is there
	// already. Its variants stay: they may be the last good thing that is left. Errors: ErrNotFound.
	Quarantine(ctx context.Context, ref Ref) error

	// Check tries the storage: writes a few bytes of its own, makes them durable, reads them back and removes them.
	// Errors: ErrStorageFull.
	Check(ctx context.Context) error
}

// Entry is one file that Walk found.
type Entry struct {
	Ref     Ref       // whose bytes, or whose variant; zero for a stray
	Variant string    // the variant's name; empty for the blob itself
	Stray   string    // slash-separated path below the store of a file that does not belong; else empty
	Size    int64     // bytes
	ModTime time.Time // last written
}

// storageError wraps what the file system said, and names it where it has a name. EFBIG is deliberately not
// ErrTooLarge: it is a limit of this machine, not one that the client broke.
func storageError(op string, err error) error {
	err = fmt.Errorf("blob: %s: %w", op, err)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return ErrStorageFull.Wrap(err)
	}
	return err
}
