package account

import (
	"context"
	"sync/atomic"
	"time"
)

// Registration is who may make an account on an instance that already has one.
type Registration string

// The ways to register. The first account of an empty instance may always be made, and is its administrator.
const (
	RegistrationOpen   Registration = "open"
	RegistrationInvite Registration = "invite"
	RegistrationClosed Registration = "closed"
)

// Config holds an instance's rules; the zero value is a good closed instance.
type Config struct {
	Registration      Registration  // closed when empty
	DefaultQuotaBytes int64         // of a new account; 0 stands for no limit
	SessionLifetime   time.Duration // from signing in, however much it is used; 30 days when 0

	// The limits on guessing; the zero value stands for the default, a negative quota for no limit.
	SignInPerAddress   Limit // 30 in 10 minutes; an IPv6 address counts as its /64
	SignInPerName      Limit // 10 failures in 10 minutes, of signing in and of giving the current password
	RegisterPerAddress Limit // 10 in an hour

	HashConcurrency int // passwords hashed at once, 19 MiB and one core each; the number of cores when 0
	HashQueue       int // how many more may wait for that; 64 when 0
}

func (c Config) withDefaults() Config {
	if c.Registration == "" {
		c.Registration = RegistrationClosed
	}
	if c.SessionLifetime == 0 {
		c.SessionLifetime = 30 * 24 * time.Hour
	}
	c.SignInPerAddress = c.SignInPerAddress.or(Limit{Name: "address", Quota: 30, Window: 10 * time.Minute})
	c.SignInPerName = c.SignInPerName.or(Limit{Name: "name", Quota: 10, Window: 10 * time.Minute})
	c.RegisterPerAddress = c.RegisterPerAddress.or(Limit{Name: "address", Quota: 10, Window: time.Hour})
	return c
}

// Service is the rules. It is safe for concurrent use.
type Service struct {
	store     Store
	cfg       Config
	hasher    *hasher
	inhabited atomic.Bool // there is an account
}

// New returns the service that keeps its accounts in store.
func New(store Store, cfg Config) *Service {
	cfg = cfg.withDefaults()
	return &Service{store: store, cfg: cfg, hasher: newHasher(cfg.HashConcurrency, cfg.HashQueue)}
}

// Swept counts what a sweep removed.
type Swept struct {
	Sessions, Invites, Limits, IdempotencyKeys int64
}

// Sweep removes what has expired: sessions, invitations, spent limits, and idempotency keys older than 24 hours. Nothing
// of it counts any more when it expires, so a sweep is about space alone and may run at any time, on every replica.
func (s *Service) Sweep(ctx context.Context) (Swept, error) { return s.store.Sweep(ctx) }

// Store is what the service needs from a database. Each method is one atomic write or one read, and returns the
// errors of this package where it says so; any other error is internal.
type Store interface {
	// CheckRegistration reads what decides whether hashing a password is worth while; CreateAccount decides.
	CheckRegistration(ctx context.Context, name string, inviteHash []byte) (RegistrationCheck, error)
	// CreateAccount makes the account and its usage row; the first of an instance becomes an administrator.
	// ErrNameTaken, ErrRegistrationClosed, ErrInviteNeeded.
	CreateAccount(ctx context.Context, a NewAccount) (Account, error)
	// Account, AccountByName and Usage return ErrNotFound; Credentials and CredentialsByName as well.
	Account(ctx context.Context, id string) (Account, error)
	AccountByName(ctx context.Context, name string) (Account, error)
	Usage(ctx context.Context, id string) (Usage, error)
	Credentials(ctx context.Context, id string) (Credentials, error)
	CredentialsByName(ctx context.Context, name string) (Credentials, error)
	// ListAccounts returns up to limit accounts whose names come after the given one, by name.
	ListAccounts(ctx context.Context, afterName string, limit int) ([]Overview, error)
	// UpdateAccount applies a change; a new name goes to the account's pictures as well, and a new password ends the
	// sessions. ErrNotFound, ErrPreconditionFailed, ErrNameTaken, ErrWrongPassword.
	UpdateAccount(ctx context.Context, id string, c Change, ifRevision IfRevision) (Account, error)
	// DeleteAccount removes the account and all that is its own, and returns how many pictures that were.
	// ErrNotFound, ErrPreconditionFailed, ErrConfirmationMismatch, ErrLastAdministrator.
	DeleteAccount(ctx context.Context, id, confirmName string, ifRevision IfRevision) (images int64, err error)
	// SetRole returns ErrNotFound or ErrLastAdministrator, SetQuota ErrNotFound.
	SetRole(ctx context.Context, id string, role Role) error
	SetQuota(ctx context.Context, id string, quotaBytes *int64) error
	// CreateInvite keeps an invitation and returns when it expires.
	CreateInvite(ctx context.Context, codeHash []byte, lifetime time.Duration) (time.Time, error)

	// CreateSession returns ErrWrongCredentials when the account's password hash is no longer the one that was checked.
	CreateSession(ctx context.Context, session NewSession) (Session, error)
	// SessionPrincipal and KeyPrincipal find who holds a secret in one query, and return ErrUnauthenticated when nobody
	// does or it has expired. They note the use, at most once a minute, and never fail because they cannot.
	SessionPrincipal(ctx context.Context, tokenHash []byte) (Principal, error)
	KeyPrincipal(ctx context.Context, secretHash []byte) (Principal, error)
	// ListSessions and ListAPIKeys return up to limit items beyond a position: sessions that have not expired, the most
	// recently used first; keys, the newest first.
	ListSessions(ctx context.Context, accountID string, after Position, limit int) ([]Session, error)
	ListAPIKeys(ctx context.Context, accountID string, after Position, limit int) ([]APIKey, error)
	// EndSession returns ErrSessionNotFound, DeleteAPIKey ErrAPIKeyNotFound: also when it is another account's.
	EndSession(ctx context.Context, accountID, id string) error
	EndSessions(ctx context.Context, accountID string) error
	DeleteAPIKey(ctx context.Context, accountID, id string) error
	// CreateAPIKey returns ErrNotFound, ErrTooManyAPIKeys beyond maxKeys, or ErrExpiresInPast.
	CreateAPIKey(ctx context.Context, key NewAPIKey, maxKeys int) (APIKey, error)

	// TakeAttempt counts an attempt if the limit allows it, in one atomic step across replicas, and returns the state.
	TakeAttempt(ctx context.Context, key string, limit Limit) (LimitState, error)
	// LimitState returns how the limit stands, and counts nothing.
	LimitState(ctx context.Context, key string, limit Limit) (LimitState, error)
	// ReturnAttempt takes one attempt back.
	ReturnAttempt(ctx context.Context, key string, limit Limit) error

	// Sweep removes what Service.Sweep says.
	Sweep(ctx context.Context) (Swept, error)
}
