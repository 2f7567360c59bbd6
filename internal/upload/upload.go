// Package upload keeps files that arrive in parts, until they are whole and a picture is made of them.
//
// An upload is one file in a folder of its account's, and that file is all there is to know of it: a head that says how
// large the whole is, then the bytes that have arrived. So what arrived counts, however a connection or a server ended,
// every server on the same storage sees the same, and there is no row that has to agree with it.
//
// Nothing here is made durable. After a power cut a file may be shorter than was said, or gone, and its sender is told so
// when it goes on; a picture is durable before anybody hears of it, and that is image.Service's business.
package upload

import (
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
)

const (
	// Lifetime is how long an upload stays that gets nothing.
	Lifetime = 24 * time.Hour
	// MaxUnfinished is how many uploads an account may have at a time.
	MaxUnfinished = 32
)

// The errors that have a name. They match by errors.Is; the message may be more precise.
var (
	// ErrNotFound (NotFound) is also said of somebody else's upload, and of one that is complete or was removed.
	ErrNotFound = apperr.New(apperr.NotFound, "upload_not_found", "There is no such upload.")
	// ErrTooMany (RateLimited) says that the account has begun more than it may.
	ErrTooMany = apperr.New(apperr.RateLimited, "too_many_uploads",
		"The account's unfinished uploads leave no room for another. Complete or delete one, or wait until one expires.")
	// ErrChanged (PreconditionFailed) says that an upload is not as its sender thinks.
	ErrChanged = apperr.New(apperr.PreconditionFailed, "precondition_failed",
		"It was changed in the meantime. Read it again and repeat the change.")
	// ErrOffset (Conflict) says that an upload is not where its sender thinks.
	ErrOffset = apperr.New(apperr.Conflict, "upload_offset_mismatch", "The upload goes on at another offset; see Upload-Offset.")
	// ErrTooLarge (TooLarge) says that more bytes came than were announced.
	ErrTooLarge = apperr.New(apperr.TooLarge, "upload_too_large", "These are more bytes than the upload was begun for.")
	// ErrIncomplete (Conflict) says that bytes are missing.
	ErrIncomplete = apperr.New(apperr.Conflict, "upload_incomplete", "Not all bytes have arrived. Send the rest first.")
)

// Upload is what is known of one.
type Upload struct {
	ID        string
	Size      int64 // bytes of the whole
	Offset    int64 // bytes that have arrived
	Filename  string
	ExpiresAt time.Time
}
