// Package account knows people and how they sign in: accounts, browser sessions, API keys, invitations and the limits
// on guessing.
//
// It holds the rules and names, in [Store], the few things that it needs from a database; it knows neither SQL nor HTTP.
// Every request meets [Service.AuthenticateSession] or [Service.AuthenticateKey] and carries the [Principal] that they
// return. All times come from the database's clock, so that replicas whose clocks differ agree on what has expired.
package account

import (
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
)

// The failures that this package names; the methods' comments say which of them come back. They are values to compare
// with errors.Is, which looks at the code: what is returned may carry a cause, a field or a time to come back.
var (
	ErrNotFound = apperr.New(apperr.NotFound, "account_not_found",
		"There is no such account.")
	ErrSessionNotFound = apperr.New(apperr.NotFound, "session_not_found",
		"There is no such session.")
	ErrAPIKeyNotFound = apperr.New(apperr.NotFound, "api_key_not_found",
		"There is no such API key.")
	ErrUnauthenticated = apperr.New(apperr.Unauthenticated, "unauthenticated",
		"Sign in, or send an API key.")
	ErrWrongCredentials = apperr.New(apperr.Unauthenticated, "wrong_credentials",
		"The name or the password is wrong.")
	ErrWrongPassword = apperr.New(apperr.Forbidden, "wrong_password",
		"The current password is wrong.").At("/current_password")
	ErrRegistrationClosed = apperr.New(apperr.Forbidden, "registration_closed",
		"This instance does not take new accounts.")
	ErrInviteNeeded = apperr.New(apperr.Forbidden, "invite_needed",
		"An invitation code that is still good is needed.").At("/invite_code")
	ErrNameTaken = apperr.New(apperr.Conflict, "name_taken",
		"That name is taken.").At("/name")
	ErrLastAdministrator = apperr.New(apperr.Conflict, "last_administrator",
		"The last administrator has to stay while there are other accounts.")
	ErrTooManyAPIKeys = apperr.New(apperr.Conflict, "too_many_api_keys",
		"An account has at most 100 API keys. Delete one first.")
	ErrPreconditionFailed = apperr.New(apperr.PreconditionFailed, "precondition_failed",
		"It was changed in the meantime. Read it again and repeat the change.")
	ErrConfirmationMismatch = apperr.New(apperr.Invalid, "confirmation_mismatch",
		"To delete the account, repeat its name.").At("?confirm")
	ErrExpiresInPast = apperr.New(apperr.Invalid, "expires_in_past",
		"The time of expiry must be in the future.").At("/expires_at")
	ErrRateLimited = apperr.New(apperr.RateLimited, "rate_limited",
		"Too many attempts.")
	ErrBusy = apperr.New(apperr.Unavailable, "busy",
		"Too many passwords are being checked just now. Try again in a second.")
)

// Role is what an account may do to the instance.
type Role string

// The roles. An instance with accounts always has an administrator.
const (
	RoleAdmin  Role = "admin"
	RoleMember Role = "member"
)

// Visibility is who may see the pictures that an account uploads without saying. The noun of pictures has a type of its
// own with the same words; neither imports the other.
type Visibility string

// The visibilities.
const (
	VisibilityPublic   Visibility = "public"
	VisibilityUnlisted Visibility = "unlisted"
	VisibilityPrivate  Visibility = "private"
)

// Account is a person.
type Account struct {
	ID                string
	Name              string // public and unique
	Email             string // a private contact that proves nothing; empty if none
	Role              Role
	KeepMetadata      bool // keep private metadata in uploaded files
	DefaultVisibility Visibility
	Revision          int64 // grows with every change; what an ETag is made from
	CreatedAt         time.Time
	UpdatedAt         time.Time
}

// Usage is what an account holds, and may hold.
type Usage struct {
	Bytes      int64
	Images     int64
	QuotaBytes *int64 // nil: no limit
}

// Overview is an account beside what it uses, as an administrator sees it.
type Overview struct {
	Account
	Usage Usage
}

// IfRevision decides, on the locked row inside the transaction, whether a change may go on from that revision. Nil
// stands for always. It may run more than once and must not touch the database.
type IfRevision func(revision int64) bool

// Allows reports whether a change may go on from revision.
func (f IfRevision) Allows(revision int64) bool { return f == nil || f(revision) }

// Position is where a page of a list ended: the time that the list is sorted by, in microseconds, and the id of the
// page's last item. The zero value is the start of a list and, as the next position, its end.
type Position struct {
	At time.Time
	ID string
}

// IsZero reports whether p is the start or the end of a list.
func (p Position) IsZero() bool { return p.ID == "" }

// Page is one page of a list.
type Page[T any] struct {
	Items []T
	Next  Position // zero when this is the last page
}

// MaxPage is the most items that a page has; a larger or smaller limit is brought between 1 and this.
const MaxPage = 100

func clampLimit(limit int) int { return min(max(limit, 1), MaxPage) }

// cutPage makes a page of at most limit items from rows, of which the store returned one more if there was one.
func cutPage[T any](rows []T, limit int, at func(T) Position) Page[T] {
	if len(rows) <= limit {
		return Page[T]{Items: rows}
	}
	return Page[T]{Items: rows[:limit], Next: at(rows[limit-1])}
}
