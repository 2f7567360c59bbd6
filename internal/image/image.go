// Package image is Kadr's heart: one account's named references to stored pictures, their way in (Service.Create), their
// lists, their changes, and their way out as originals and variants (Service.Open).
//
// It owns the rules and the order of the steps; bytes are kept by package blob, decoded by package imaging, and rows are
// kept by whoever implements Store.
package image

import (
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/imaging"
)

// Visibility says who may see a picture.
type Visibility string

// The visibilities.
const (
	Public   Visibility = "public"   // everybody; it is in the feed
	Unlisted Visibility = "unlisted" // whoever has the link
	Private  Visibility = "private"  // its owner
)

// Image is one account's picture.
type Image struct {
	ID          string
	AccountID   string
	AccountName string
	Ref         blob.Ref
	Format      imaging.Format
	Width       int // pixels, after orientation
	Height      int
	Frames      int
	Transparent bool
	Size        int64 // bytes of the original as it is kept
	Filename    string
	Title       string
	Description string
	Visibility  Visibility
	Placeholder []byte // ThumbHash
	Revision    int64  // one more after each change
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// ThumbnailFormat is the format of the picture's thumbnail: a still, transparent where the picture is.
func (img Image) ThumbnailFormat() imaging.Format {
	if img.Frames == 1 {
		return imaging.WebP
	}
	return img.StillFormat()
}

// StillFormat is the format in which everything that shows pictures can show a still of it: chats, forums, old programs.
func (img Image) StillFormat() imaging.Format {
	if img.Transparent {
		return imaging.PNG
	}
	return imaging.JPEG
}

// VisibleTo reports whether whoever has the link may see the picture; viewer is an account's id, empty for a stranger.
func (img Image) VisibleTo(viewer string) bool {
	return img.Visibility != Private || (viewer != "" && viewer == img.AccountID)
}

// Errors that callers may match with errors.Is.
var (
	ErrNotFound = apperr.New(apperr.NotFound, "image_not_found", "There is no such picture.")
	ErrGone     = apperr.New(apperr.Gone, "image_gone", "This picture was deleted.")
	ErrChanged  = apperr.New(apperr.PreconditionFailed, "precondition_failed",
		"It was changed in the meantime. Read it again and repeat the change.")
	ErrQuota = apperr.New(apperr.Forbidden, "quota_exceeded", "The picture does not fit into what the account may still hold.")
	ErrLost  = apperr.New(apperr.Internal, "image_bytes_lost", "The picture's bytes are missing or damaged.")
	// ErrReservation is returned by Store.CreateImage when the reservation ran out or was lost: the blob may be gone, so
	// it has to be reserved and committed again.
	ErrReservation = apperr.New(apperr.Unavailable, "upload_interrupted", "The upload was interrupted. Send it again.")
)

// Patch is a change to a picture; nil fields stay.
type Patch struct {
	Title, Description, Filename *string
	Visibility                   *Visibility
	// IfRevision, when set, has to accept the picture's revision for the change to happen.
	IfRevision func(revision int64) bool
}

// Sort is what a list of pictures is ordered by; the id breaks ties.
type Sort string

// The sorts.
const (
	ByCreated Sort = "created_at"
	ByName    Sort = "name" // the lower-case file name
	BySize    Sort = "size"
)

// Position is where a page of a list ended: the sort's value and the id of its last picture.
type Position struct {
	Created  time.Time
	Filename string
	Size     int64
	ID       string
}

// PositionOf returns the position of a picture.
func PositionOf(img Image) Position {
	return Position{Created: img.CreatedAt, Filename: img.Filename, Size: img.Size, ID: img.ID}
}

// Query asks for a page of one account's pictures.
type Query struct {
	AccountID  string
	Sort       Sort
	Descending bool
	Visibility Visibility     // empty: all
	Format     imaging.Format // empty: all
	Text       string         // in the file name, title or description, in any case; empty: all
	After      *Position      // nil: from the beginning
	Limit      int            // 1 to 100
}

// FeedQuery asks for a page of public pictures, newest first.
type FeedQuery struct {
	AccountName string // empty: everybody's
	After       *Position
	Limit       int // 1 to 100
}
