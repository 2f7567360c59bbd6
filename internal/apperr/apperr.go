// Package apperr is the one error type that crosses Kadr's rooms.
//
// A noun (account, image) or an adapter (postgres, imaging) that knows what went wrong returns an *Error; the HTTP
// side turns its Kind into a status and its Code into the type of a problem document (RFC 9457). Everything else is
// Internal: it is logged once with its cause, and the caller learns nothing but a request id.
//
// The package imports only the standard library, so that everything may import it.
package apperr

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what sort of failure an error is. The zero value is Internal.
type Kind uint8

// The kinds, each with the HTTP status that it becomes.
const (
	Internal            Kind = iota // 500: our fault; the message is not shown
	Invalid                         // 400: the request does not say something sensible
	Unauthenticated                 // 401: no login, or one that no longer counts
	Forbidden                       // 403: logged in, but not allowed
	NotFound                        // 404
	Gone                            // 410: it was here, and was deleted
	Conflict                        // 409: it contradicts what is already there
	PreconditionFailed              // 412: an If-Match that no longer holds
	TooLarge                        // 413: more bytes than allowed
	Unsupported                     // 415: a media type that is not accepted
	Unprocessable                   // 422: well formed, but the content cannot be used (a broken picture)
	RateLimited                     // 429: too often; RetryAfter says when to come back
	Unavailable                     // 503: too busy just now; RetryAfter says when to come back
	InsufficientStorage             // 507: no room left to store anything; RetryAfter says when to come back
)

var kindNames = [...]string{
	"internal", "invalid", "unauthenticated", "forbidden", "not_found", "gone", "conflict", "precondition_failed",
	"too_large", "unsupported", "unprocessable", "rate_limited", "unavailable",
	"insufficient_storage",
}

// String returns the kind's name in lower snake case.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", k)
}

// Error is a failure that has a name.
type Error struct {
	Kind Kind
	// Code is the stable, lower snake case name that clients may rely on, such as "image_not_found".
	Code string
	// Message is a sentence that is always safe to show to whoever sent the request.
	Message string
	// Field names the member of the request body that is at fault ("/name", a JSON pointer) or is empty.
	Field string
	// RetryAfter is how long to wait before trying again; set with RateLimited, Unavailable and
	// InsufficientStorage.
	RetryAfter time.Duration

	cause error
}

// New returns an error of the given kind, with a stable code and a message that is safe to show.
func New(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

// Newf is New with a formatted message. Never format another error's text into it: that is what Wrap is for.
func Newf(kind Kind, code, format string, args ...any) *Error {
	return New(kind, code, fmt.Sprintf(format, args...))
}

// Wrap returns a copy of e that carries cause for the log.
func (e *Error) Wrap(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// At returns a copy of e that blames the member of the request body at the JSON pointer field.
func (e *Error) At(field string) *Error {
	c := *e
	c.Field = field
	return &c
}

// After returns a copy of e that tells the caller when to come back.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// Error is for logs: the code, the message and the cause.
func (e *Error) Error() string {
	if e.cause != nil {
		return e.Code + ": " + e.Message + ": " + e.cause.Error()
	}
	return e.Code + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is makes errors.Is compare by code, so that a wrapped or re-addressed copy still matches the original value.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Kind == e.Kind
}

// KindOf returns the kind of the first *Error in err's chain, and Internal when there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}
