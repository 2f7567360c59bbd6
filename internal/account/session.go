package account

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/kadr-app/kadr/internal/token"
)

// Session is a browser's login.
type Session struct {
	ID         string
	UserAgent  string // as the browser named itself; at most 400 characters on one line
	Address    string // where it signed in from
	CreatedAt  time.Time
	LastUsedAt time.Time // to the minute
	ExpiresAt  time.Time
}

// NewSession is a session for a store to make.
type NewSession struct {
	ID          string
	AccountID   string
	CheckedHash string // the password hash that the password was checked against
	TokenHash   []byte
	UserAgent   string
	Address     string
	Lifetime    time.Duration
}

// SignIn is what somebody signs in with.
type SignIn struct {
	Name      string
	Password  string
	Address   netip.Addr
	UserAgent string
}

// SignedIn is a session that was just made. The token is for the browser's cookie and is nowhere else: only its hash is
// kept.
type SignedIn struct {
	Session Session
	Token   string
}

// SignIn makes a session. A wrong name and a wrong password are the same error after the same work. The limits' states
// come back with an error too. Unauthenticated wrong_credentials; RateLimited; Unavailable busy.
func (s *Service) SignIn(ctx context.Context, in SignIn) (SignedIn, []LimitState, error) {
	byName := s.signInByName(in.Name)
	// Before anything is known of the name, so that the limits cannot tell whether it exists.
	limits, err := s.take(ctx, s.signInByAddress(in.Address), byName)
	if err != nil {
		return SignedIn{}, limits, err
	}
	credentials, err := s.store.CredentialsByName(ctx, strings.ToLower(in.Name))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return SignedIn{}, limits, err
	}
	match, err := s.hasher.check(ctx, in.Password, credentials.PasswordHash)
	if errors.Is(err, ErrBusy) {
		s.giveBack(ctx, byName, limits) // nothing was tried
	}
	if err != nil {
		return SignedIn{}, limits, err
	}
	if !match {
		return SignedIn{}, limits, ErrWrongCredentials
	}
	secret := token.Secret()
	session, err := s.store.CreateSession(ctx, NewSession{
		ID:          token.ID(),
		AccountID:   credentials.AccountID,
		CheckedHash: credentials.PasswordHash,
		TokenHash:   token.Hash(secret),
		UserAgent:   cleanUserAgent(in.UserAgent),
		Address:     plainAddress(in.Address).String(),
		Lifetime:    s.cfg.SessionLifetime,
	})
	if err != nil {
		return SignedIn{}, limits, err
	}
	s.giveBack(ctx, byName, limits)
	return SignedIn{Session: session, Token: secret}, limits, nil
}

// AuthenticateSession returns who holds a session's token, in one query. Unauthenticated when nobody does, the session
// was ended or has expired.
func (s *Service) AuthenticateSession(ctx context.Context, sessionToken string) (Principal, error) {
	if !token.IsSecret(sessionToken) {
		return Principal{}, ErrUnauthenticated
	}
	return s.store.SessionPrincipal(ctx, token.Hash(sessionToken))
}

// ListSessions returns a page of the principal's sessions, the most recently used first. A session that is used between
// two pages moves to the front, and is then on neither or on both.
func (s *Service) ListSessions(ctx context.Context, p Principal, after Position, limit int) (Page[Session], error) {
	limit = clampLimit(limit)
	rows, err := s.store.ListSessions(ctx, p.AccountID, after, limit+1)
	if err != nil {
		return Page[Session]{}, err
	}
	return cutPage(rows, limit, func(s Session) Position { return Position{s.LastUsedAt, s.ID} }), nil
}

// EndSession ends one of the principal's sessions at once. NotFound, also when it is somebody else's.
func (s *Service) EndSession(ctx context.Context, p Principal, id string) error {
	return s.store.EndSession(ctx, p.AccountID, id)
}

// EndCurrent ends the principal's own session at once. It is no error when another request was faster.
func (s *Service) EndCurrent(ctx context.Context, p Principal) error {
	err := s.store.EndSession(ctx, p.AccountID, p.SessionID)
	if errors.Is(err, ErrSessionNotFound) {
		return nil
	}
	return err
}

// EndAll ends every session of the principal's account at once, its own too. API keys stay.
func (s *Service) EndAll(ctx context.Context, p Principal) error {
	return s.store.EndSessions(ctx, p.AccountID)
}
