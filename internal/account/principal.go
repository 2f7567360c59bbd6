package account

import "slices"

// Scope is one thing that an API key may do.
type Scope string

// The scopes.
const (
	ScopeImagesRead   Scope = "images:read"
	ScopeImagesWrite  Scope = "images:write"
	ScopeImagesDelete Scope = "images:delete"
	ScopeAccountRead  Scope = "account:read"
)

// Scopes returns every scope, in the order in which a key lists its own.
func Scopes() []Scope {
	return []Scope{ScopeImagesRead, ScopeImagesWrite, ScopeImagesDelete, ScopeAccountRead}
}

// Principal is who a request acts as: the account, as far as an upload needs it without another query, and the session
// or the key that proved it. Name is as of authentication; what is stored must read it again under the account's lock.
type Principal struct {
	AccountID         string
	Name              string
	Role              Role
	KeepMetadata      bool
	DefaultVisibility Visibility

	SessionID string  // empty with an API key
	KeyID     string  // empty with a session
	Scopes    []Scope // an API key's; a session has none and may do everything
}

// HasScope reports whether the principal may do what any one of the scopes allows. A session may do everything; a key
// asked for no scope at all may do nothing.
func (p Principal) HasScope(scopes ...Scope) bool {
	if p.SessionID != "" {
		return true
	}
	return slices.ContainsFunc(scopes, func(s Scope) bool { return slices.Contains(p.Scopes, s) })
}
