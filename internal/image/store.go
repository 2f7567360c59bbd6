package image

import (
	"context"
	"time"

	"github.com/kadr-app/kadr/internal/blob"
)

// Store keeps pictures' rows. Every method is one atomic write or one consistent read.
//
// Bytes and rows live in two places, so their order matters. An upload first reserves the blob (ReserveBlob), then gives
// the file its name, then inserts the image (CreateImage). A removal (RemoveBlob) holds the blob's row while it removes
// the file, and goes ahead only if neither an image nor a reservation refers to it. So a file is never removed under an
// upload, and a named file without a row is left behind by nothing but a crash of the database.
type Store interface {
	// ReserveBlob makes sure that the blob's row exists and stays: until CreateImage or ReleaseBlob, one for each
	// reservation, or until its lifetime is over. It waits for a removal of the same blob to finish.
	ReserveBlob(ctx context.Context, ref blob.Ref, size int64, lifetime time.Duration) error
	// ReleaseBlob ends a reservation that led to nothing.
	ReleaseBlob(ctx context.Context, ref blob.Ref) error
	// CreateImage inserts the image and ends a reservation of its blob; the account's usage grows within its quota
	// (ErrQuota). When the account has an image of the same blob already and duplicates are not allowed, that one is
	// returned, with false. ErrReservation when no reservation is left. After an internal error the reservation may be
	// there still, otherwise it is over.
	CreateImage(ctx context.Context, img Image, allowDuplicate bool) (Image, bool, error)

	// Image returns one image; ErrNotFound or ErrGone.
	Image(ctx context.Context, id string) (Image, error)
	// Images returns a page of an account's images.
	Images(ctx context.Context, q Query) ([]Image, error)
	// Feed returns a page of public images; apperr.NotFound "account_not_found" when it names no account.
	Feed(ctx context.Context, q FeedQuery) ([]Image, error)

	// UpdateImage changes one of the account's images; ErrNotFound (also somebody else's), ErrGone or ErrChanged.
	UpdateImage(ctx context.Context, accountID, id string, p Patch) (Image, error)
	// DeleteImages deletes those of the account's images among ids that exist, and returns them. ifRevision may be nil.
	DeleteImages(ctx context.Context, accountID string, ids []string, ifRevision func(int64) bool) ([]Image, error)
	// SetVisibility changes those of the account's images among ids that exist, and returns their ids.
	SetVisibility(ctx context.Context, accountID string, ids []string, v Visibility) ([]string, error)

	// RemoveBlob calls remove and then forgets the blob, unless an image or a reservation refers to it or a backup is
	// copying what is left; it reports whether it did. While remove runs nobody can reserve the blob. If remove fails nothing is forgotten.
	RemoveBlob(ctx context.Context, ref blob.Ref, remove func(context.Context) error) (bool, error)
	// UnreferencedBlobs returns up to limit blobs that no image refers to and that are older than age.
	UnreferencedBlobs(ctx context.Context, age time.Duration, limit int) ([]blob.Ref, error)
	// KnownBlobs returns those of refs that have a row.
	KnownBlobs(ctx context.Context, refs []blob.Ref) (map[blob.Ref]bool, error)
	// SweepReservations ends the reservations of uploads that died.
	SweepReservations(ctx context.Context) error
}
