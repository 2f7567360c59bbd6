package account

import (
	"context"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/token"
)

// The methods in this file are for whoever runs the instance, at its console: they ask for no password and pass no limit.

// AccountRequest is an account that an administrator makes.
type AccountRequest struct {
	Name       string
	Password   string
	Email      string // empty for none
	Role       Role   // member when empty; the first account of an instance is an administrator whatever is asked
	QuotaBytes *int64 // the instance's default when nil
}

// CreateAccount makes an account whatever the instance's rule for registration. Invalid; Conflict name_taken;
// Unavailable busy.
func (s *Service) CreateAccount(ctx context.Context, in AccountRequest) (Account, error) {
	if in.Role == "" {
		in.Role = RoleMember
	}
	if in.QuotaBytes == nil {
		in.QuotaBytes = s.defaultQuota()
	}
	if err := validateNew(in.Name, in.Password, in.Email); err != nil {
		return Account{}, err
	}
	if err := ValidateRole(in.Role); err != nil {
		return Account{}, err
	}
	if err := validateQuota(in.QuotaBytes); err != nil {
		return Account{}, err
	}
	hash, err := s.hasher.hash(ctx, in.Password)
	if err != nil {
		return Account{}, err
	}
	return s.store.CreateAccount(ctx, NewAccount{
		ID: token.ID(), Name: in.Name, Email: in.Email, Role: in.Role, PasswordHash: hash, QuotaBytes: in.QuotaBytes,
	})
}

// SetPassword gives an account a new password and ends all its sessions; API keys stay. Invalid; NotFound; Unavailable
// busy.
func (s *Service) SetPassword(ctx context.Context, name, password string) error {
	if err := ValidatePassword(password); err != nil {
		return err
	}
	a, err := s.store.AccountByName(ctx, name)
	if err != nil {
		return err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	_, err = s.store.UpdateAccount(ctx, a.ID, Change{PasswordHash: &hash}, nil)
	return err
}

// SetRole gives an account another role, at once and for its running sessions too. Invalid; NotFound; Conflict
// last_administrator, also when there is no other account.
func (s *Service) SetRole(ctx context.Context, name string, role Role) error {
	if err := ValidateRole(role); err != nil {
		return err
	}
	a, err := s.store.AccountByName(ctx, name)
	if err != nil {
		return err
	}
	return s.store.SetRole(ctx, a.ID, role)
}

// SetQuota sets how many bytes an account may hold, nil for no limit. An account that holds more keeps it, and may add
// nothing. Invalid; NotFound.
func (s *Service) SetQuota(ctx context.Context, name string, quotaBytes *int64) error {
	if err := validateQuota(quotaBytes); err != nil {
		return err
	}
	a, err := s.store.AccountByName(ctx, name)
	if err != nil {
		return err
	}
	return s.store.SetQuota(ctx, a.ID, quotaBytes)
}

// ListAccounts returns up to limit (1 to 100) accounts by name, beginning after the name afterName (empty for the
// start); fewer than limit at the end.
func (s *Service) ListAccounts(ctx context.Context, afterName string, limit int) ([]Overview, error) {
	return s.store.ListAccounts(ctx, afterName, clampLimit(limit))
}

func validateQuota(quotaBytes *int64) error {
	if quotaBytes != nil && *quotaBytes < 0 {
		return apperr.New(apperr.Invalid, "invalid_quota", "A quota is a number of bytes, and not below zero.")
	}
	return nil
}
