package account

import (
	"context"
	"strings"
	"time"

	"github.com/kadr-app/kadr/internal/token"
)

const (
	// KeyPrefix begins every API key, so that people and scanners for leaked secrets recognise one.
	KeyPrefix = "kadr_"
	// MaxAPIKeys is how many keys an account may have.
	MaxAPIKeys = 100

	shownPrefixLength = len(KeyPrefix) + 4
)

// APIKey is a program's login.
type APIKey struct {
	ID         string
	Name       string
	Prefix     string // the key's first nine characters
	Scopes     []Scope
	CreatedAt  time.Time
	LastUsedAt *time.Time // to the minute; nil if never
	ExpiresAt  *time.Time // nil for never
}

// KeyRequest is what somebody wants a key for.
type KeyRequest struct {
	Name      string
	Scopes    []Scope
	ExpiresAt *time.Time // nil for never
}

// NewAPIKey is a key for a store to make.
type NewAPIKey struct {
	ID         string
	AccountID  string
	Name       string
	Prefix     string
	SecretHash []byte
	Scopes     []Scope
	ExpiresAt  *time.Time
}

// CreateAPIKey makes a key for the principal's account and returns it beside the key itself, which is nowhere else: only
// its hash is kept. Invalid (with expires_in_past); Conflict too_many_api_keys; Unauthenticated.
func (s *Service) CreateAPIKey(ctx context.Context, p Principal, in KeyRequest) (made APIKey, key string, err error) {
	if err := validateKeyName(in.Name); err != nil {
		return APIKey{}, "", err
	}
	scopes, err := validateScopes(in.Scopes)
	if err != nil {
		return APIKey{}, "", err
	}
	key = KeyPrefix + token.Secret()
	made, err = s.store.CreateAPIKey(ctx, NewAPIKey{
		ID:         token.ID(),
		AccountID:  p.AccountID,
		Name:       in.Name,
		Prefix:     key[:shownPrefixLength],
		SecretHash: token.Hash(key),
		Scopes:     scopes,
		ExpiresAt:  in.ExpiresAt,
	}, MaxAPIKeys)
	if err != nil {
		return APIKey{}, "", ofPrincipal(err)
	}
	return made, key, nil
}

// AuthenticateKey returns who holds an API key, in one query. Unauthenticated when nobody does, or the key was deleted or
// has expired.
func (s *Service) AuthenticateKey(ctx context.Context, key string) (Principal, error) {
	secret, found := strings.CutPrefix(key, KeyPrefix)
	if !found || !token.IsSecret(secret) {
		return Principal{}, ErrUnauthenticated
	}
	return s.store.KeyPrincipal(ctx, token.Hash(key))
}

// ListAPIKeys returns a page of the principal's keys, the newest first. Those that have expired are there too, until
// they are deleted.
func (s *Service) ListAPIKeys(ctx context.Context, p Principal, after Position, limit int) (Page[APIKey], error) {
	limit = clampLimit(limit)
	rows, err := s.store.ListAPIKeys(ctx, p.AccountID, after, limit+1)
	if err != nil {
		return Page[APIKey]{}, err
	}
	return cutPage(rows, limit, func(k APIKey) Position { return Position{k.CreatedAt, k.ID} }), nil
}

// DeleteAPIKey revokes one of the principal's keys at once. NotFound, also when it is somebody else's.
func (s *Service) DeleteAPIKey(ctx context.Context, p Principal, id string) error {
	return s.store.DeleteAPIKey(ctx, p.AccountID, id)
}
