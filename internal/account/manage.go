package account

import (
	"context"
	"errors"

	"github.com/kadr-app/kadr/internal/apperr"
)

// Patch is what to change about one's account; nil leaves a thing as it is.
type Patch struct {
	Name              *string
	Email             *string // empty removes it
	Password          *string
	CurrentPassword   string // needed with Password, and ignored without
	KeepMetadata      *bool
	DefaultVisibility *Visibility
}

// Change is a patch for a store to apply, whose password has been checked and hashed.
type Change struct {
	Name              *string
	Email             *string // empty removes it
	KeepMetadata      *bool
	DefaultVisibility *Visibility
	PasswordHash      *string
	CheckedHash       string // the hash that the current password was checked against; empty when nobody had to give it
	KeepSession       string // the one session that a new password does not end; empty for none
}

// Credentials are what a password is checked against.
type Credentials struct {
	AccountID    string
	PasswordHash string
}

// Get returns the principal's account. Unauthenticated when it was deleted a moment ago.
func (s *Service) Get(ctx context.Context, p Principal) (Account, error) {
	a, err := s.store.Account(ctx, p.AccountID)
	return a, ofPrincipal(err)
}

// Find returns an account by its name. NotFound.
func (s *Service) Find(ctx context.Context, name string) (Account, error) {
	return s.store.AccountByName(ctx, name)
}

// Usage returns what the principal's account holds. Unauthenticated when it was deleted a moment ago.
func (s *Service) Usage(ctx context.Context, p Principal) (Usage, error) {
	u, err := s.store.Usage(ctx, p.AccountID)
	return u, ofPrincipal(err)
}

// Update changes the principal's account. A new password needs the current one, which is limited like signing in, and
// ends every session but the principal's; API keys stay. The limits' states come back, with an error too, when a
// password was given. Invalid; Unauthenticated; Forbidden wrong_password; Conflict name_taken; PreconditionFailed;
// RateLimited; Unavailable busy.
func (s *Service) Update(ctx context.Context, p Principal, patch Patch, ifRevision IfRevision) (
	Account, []LimitState, error,
) {
	if err := validatePatch(patch); err != nil {
		return Account{}, nil, err
	}
	change := Change{
		Name: patch.Name, Email: patch.Email,
		KeepMetadata: patch.KeepMetadata, DefaultVisibility: patch.DefaultVisibility,
	}
	var limits []LimitState
	if patch.Password != nil {
		checked, states, err := s.checkCurrent(ctx, p, patch.CurrentPassword)
		limits = states
		if err != nil {
			return Account{}, limits, ofPrincipal(err)
		}
		hash, err := s.hasher.hash(ctx, *patch.Password)
		if err != nil {
			return Account{}, limits, err
		}
		change.PasswordHash, change.CheckedHash, change.KeepSession = &hash, checked, p.SessionID
	}
	a, err := s.store.UpdateAccount(ctx, p.AccountID, change, ifRevision)
	return a, limits, ofPrincipal(err)
}

func validatePatch(patch Patch) error {
	if patch.Name != nil {
		if err := ValidateName(*patch.Name); err != nil {
			return err
		}
	}
	if patch.Email != nil {
		if err := ValidateEmail(*patch.Email); err != nil {
			return err
		}
	}
	if patch.DefaultVisibility != nil {
		if err := validateVisibility(*patch.DefaultVisibility); err != nil {
			return err
		}
	}
	if patch.Password == nil {
		return nil
	}
	if patch.CurrentPassword == "" {
		return apperr.New(apperr.Invalid, "current_password_needed",
			"A new password needs the current one beside it.").At("/current_password")
	}
	return ValidatePassword(*patch.Password)
}

// checkCurrent returns the hash that the principal's current password was found to match.
func (s *Service) checkCurrent(ctx context.Context, p Principal, password string) (string, []LimitState, error) {
	byName := s.signInByName(p.Name)
	limits, err := s.take(ctx, byName)
	if err != nil {
		return "", limits, err
	}
	credentials, err := s.store.Credentials(ctx, p.AccountID)
	if err != nil {
		return "", limits, err
	}
	match, err := s.hasher.check(ctx, password, credentials.PasswordHash)
	if match || errors.Is(err, ErrBusy) {
		s.giveBack(ctx, byName, limits)
	}
	if err != nil {
		return "", limits, err
	}
	if !match {
		return "", limits, ErrWrongPassword
	}
	return credentials.PasswordHash, limits, nil
}

// Delete removes the principal's account with its sessions, API keys and pictures, whose links are gone at once, and
// returns how many pictures there were. confirmName has to be the account's name. The bytes of the pictures are for the
// sweep of blobs to remove. Invalid confirmation_mismatch; Unauthenticated; Conflict last_administrator;
// PreconditionFailed.
func (s *Service) Delete(ctx context.Context, p Principal, confirmName string, ifRevision IfRevision) (
	images int64, err error,
) {
	images, err = s.store.DeleteAccount(ctx, p.AccountID, confirmName, ifRevision)
	return images, ofPrincipal(err)
}

// ofPrincipal says of the principal's own account what a missing one means: it was deleted since the request was
// authenticated, and its login with it.
func ofPrincipal(err error) error {
	if errors.Is(err, ErrNotFound) {
		return ErrUnauthenticated.Wrap(err)
	}
	return err
}
