package account

import (
	"context"
	"net/netip"
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/token"
)

// SignUp is what somebody registers with.
type SignUp struct {
	Name       string
	Password   string
	Email      string // empty for none
	InviteCode string // needed where the instance is by invitation
	Address    netip.Addr
}

// RegistrationCheck is how an instance stands towards one that wants to register.
type RegistrationCheck struct {
	HasAccounts bool // false: the next account is the first, and the administrator
	NameTaken   bool
	InviteGood  bool // the code is there and has not expired
}

// NewAccount is an account for a store to make. If it is the first of the instance it is made as an administrator, and
// FirstOnly and InviteHash don't count.
type NewAccount struct {
	ID           string
	Name         string
	Email        string
	Role         Role
	PasswordHash string
	QuotaBytes   *int64
	FirstOnly    bool   // refuse it, as ErrRegistrationClosed, where there are accounts
	InviteHash   []byte // use up this invitation, or refuse as ErrInviteNeeded; nil when none is needed
}

// Register makes an account, if the instance takes any. The first of an empty instance is always taken and is its
// administrator. The limits' states come back with an error too. RateLimited; Invalid; Forbidden registration_closed or
// invite_needed; Conflict name_taken; Unavailable busy.
func (s *Service) Register(ctx context.Context, in SignUp) (Account, []LimitState, error) {
	if err := validateNew(in.Name, in.Password, in.Email); err != nil {
		return Account{}, nil, err
	}
	limits, err := s.take(ctx, s.registerByAddress(in.Address))
	if err != nil {
		return Account{}, limits, err
	}
	account := NewAccount{
		ID: token.ID(), Name: in.Name, Email: in.Email, Role: RoleMember, QuotaBytes: s.defaultQuota(),
		FirstOnly: s.cfg.Registration == RegistrationClosed,
	}
	if s.cfg.Registration == RegistrationInvite {
		account.InviteHash = token.Hash(in.InviteCode)
	}
	// CreateAccount decides again, under its locks. This is so that nobody makes us hash for nothing.
	check, err := s.store.CheckRegistration(ctx, in.Name, account.InviteHash)
	switch {
	case err != nil:
		return Account{}, limits, err
	case check.HasAccounts && account.FirstOnly:
		return Account{}, limits, ErrRegistrationClosed
	case check.HasAccounts && account.InviteHash != nil && !check.InviteGood:
		return Account{}, limits, ErrInviteNeeded
	case check.NameTaken:
		return Account{}, limits, ErrNameTaken
	}
	if account.PasswordHash, err = s.hasher.hash(ctx, in.Password); err != nil {
		return Account{}, limits, err
	}
	made, err := s.store.CreateAccount(ctx, account)
	return made, limits, err
}

// Registration says who may register now: everybody as long as there is nobody yet, and then whom the settings let.
func (s *Service) Registration(ctx context.Context) (Registration, error) {
	if s.cfg.Registration == RegistrationOpen || s.inhabited.Load() {
		return s.cfg.Registration, nil
	}
	check, err := s.store.CheckRegistration(ctx, "", nil)
	if err != nil {
		return "", err
	}
	if !check.HasAccounts {
		return RegistrationOpen, nil
	}
	s.inhabited.Store(true) // and stays so: the last administrator cannot go
	return s.cfg.Registration, nil
}

func validateNew(name, password, email string) error {
	if err := ValidateName(name); err != nil {
		return err
	}
	if err := ValidatePassword(password); err != nil {
		return err
	}
	return ValidateEmail(email)
}

func (s *Service) defaultQuota() *int64 {
	if s.cfg.DefaultQuotaBytes <= 0 {
		return nil
	}
	quota := s.cfg.DefaultQuotaBytes
	return &quota
}

// DefaultInviteLifetime is how long an invitation is good for when nobody says.
const DefaultInviteLifetime = 7 * 24 * time.Hour

// Invite makes a code with which one person may register within lifetime, and says until when. The code is nowhere else:
// only its hash is kept. Invalid when lifetime is not above zero.
func (s *Service) Invite(ctx context.Context, lifetime time.Duration) (code string, expiresAt time.Time, err error) {
	if lifetime <= 0 {
		return "", time.Time{}, apperr.New(apperr.Invalid, "invalid_lifetime", "An invitation has to be good for some time.")
	}
	code = token.Secret()
	expiresAt, err = s.store.CreateInvite(ctx, token.Hash(code), lifetime)
	if err != nil {
		return "", time.Time{}, err
	}
	return code, expiresAt, nil
}
