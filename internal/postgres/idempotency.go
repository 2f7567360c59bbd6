package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kadr-app/kadr/internal/apperr"
)

// The failures of a claim.
var (
	ErrIdempotencyInProgress = apperr.New(apperr.Conflict, "idempotency_in_progress",
		"The first request with this Idempotency-Key is still at work. Try again in a moment.").After(time.Second)
	ErrIdempotencyMismatch = apperr.New(apperr.Unprocessable, "idempotency_key_reused",
		"This Idempotency-Key belongs to another request. Send a new key.")
)

// IdempotencyStore remembers the replies to requests that carried an Idempotency-Key, for 24 hours. It sees only hashes
// of keys, and replies that its caller has sealed.
type IdempotencyStore struct{ db *DB }

// NewIdempotencyStore returns an IdempotencyStore over db.
func NewIdempotencyStore(db *DB) *IdempotencyStore { return &IdempotencyStore{db: db} }

const (
	// A row is free to take when it is older than a day, or when its request died: the lock ran out with no reply.
	claimSQL = `
		INSERT INTO idempotency_keys AS k (scope, key_hash, fingerprint, locked_until)
		VALUES ($1, $2, $3, now() + $4::interval)
		ON CONFLICT (scope, key_hash) DO UPDATE
			SET fingerprint = excluded.fingerprint, reply = NULL, locked_until = excluded.locked_until, created_at = now()
		WHERE k.created_at <= now() - interval '24 hours'
			OR (k.reply IS NULL AND k.locked_until <= now() AND k.fingerprint = excluded.fingerprint)
		RETURNING created_at`
	readClaimSQL = `SELECT fingerprint = $3, reply FROM idempotency_keys WHERE scope = $1 AND key_hash = $2`
)

// maxClaims bounds how often a claim that was released between two statements is tried again.
const maxClaims = 10

// Claim asks to run the request that carries a key. Of any number of callers one gets a claim, which is known by its time:
// it runs the request, calls Extend before the lock runs out as long as that takes, and then Complete or Release. The others
// get the reply that was kept (never nil), or Conflict idempotency_in_progress while there is none, or Unprocessable
// idempotency_key_reused when the fingerprint is not the first request's. A request that died without either is taken over
// once its lock has run out, if the fingerprint is the same.
func (s *IdempotencyStore) Claim(ctx context.Context, scope string, keyHash, fingerprint []byte, lock time.Duration) (
	claimed time.Time, reply []byte, err error,
) {
	for range maxClaims {
		err = s.db.pool.QueryRow(ctx, claimSQL, scope, keyHash, fingerprint, lock).Scan(&claimed)
		if err == nil {
			return claimed, nil, nil
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return time.Time{}, nil, translate(err, "claim an idempotency key", nil)
		}
		// A statement of its own, since the one above does not see a row that is newer than itself.
		var same bool
		err = s.db.pool.QueryRow(ctx, readClaimSQL, scope, keyHash, fingerprint).Scan(&same, &reply)
		switch {
		case errors.Is(err, pgx.ErrNoRows): // released just now
			continue
		case err != nil:
			return time.Time{}, nil, translate(err, "read an idempotency key", nil)
		case !same:
			return time.Time{}, nil, ErrIdempotencyMismatch
		case reply == nil:
			return time.Time{}, nil, ErrIdempotencyInProgress
		}
		return time.Time{}, reply, nil
	}
	return time.Time{}, nil, ErrIdempotencyInProgress
}

// What a claim may still do it may do only as long as nobody took it over.
const (
	heldClaim   = ` WHERE scope = $1 AND key_hash = $2 AND created_at = $3 AND reply IS NULL`
	extendSQL   = `UPDATE idempotency_keys SET locked_until = now() + $4::interval` + heldClaim
	completeSQL = `UPDATE idempotency_keys SET reply = $4` + heldClaim
	releaseSQL  = `DELETE FROM idempotency_keys` + heldClaim
)

// Extend lets nobody else take the claim over for another while. Conflict idempotency_in_progress when somebody has.
func (s *IdempotencyStore) Extend(ctx context.Context, scope string, keyHash []byte, claimed time.Time, lock time.Duration) error {
	return s.held(ctx, "extend a claim", extendSQL, scope, keyHash, claimed, lock)
}

// Complete keeps the reply of a claimed request. Conflict idempotency_in_progress when somebody has taken it over, whose
// reply will be the one to give.
func (s *IdempotencyStore) Complete(ctx context.Context, scope string, keyHash []byte, claimed time.Time, reply []byte) error {
	if reply == nil {
		reply = []byte{} // null means that there is none yet
	}
	return s.held(ctx, "complete a claim", completeSQL, scope, keyHash, claimed, reply)
}

// Release gives a claim up after a failure, so that the request may be tried again at once. What is no longer the caller's
// stays as it is, and is no error.
func (s *IdempotencyStore) Release(ctx context.Context, scope string, keyHash []byte, claimed time.Time) error {
	err := s.held(ctx, "release a claim", releaseSQL, scope, keyHash, claimed)
	if errors.Is(err, ErrIdempotencyInProgress) {
		return nil
	}
	return err
}

func (s *IdempotencyStore) held(ctx context.Context, what, sql string, args ...any) error {
	tag, err := s.db.pool.Exec(ctx, sql, args...)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrIdempotencyInProgress
	}
	return translate(err, what, nil)
}
