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
		RETURNING true`
	readClaimSQL = `SELECT fingerprint = $3, reply FROM idempotency_keys WHERE scope = $1 AND key_hash = $2`
)

// maxClaims bounds how often a claim that was released between two statements is tried again.
const maxClaims = 10

// Claim asks to run the request that carries a key. Of any number of callers one gets claimed: it runs the request,
// within the time that lock says, and then calls Complete or Release. The others get the reply that was kept (never
// nil), or Conflict idempotency_in_progress while there is none, or Unprocessable idempotency_key_reused when the
// fingerprint is not the first request's. A request that died without either is taken over once its lock has run out,
// if the fingerprint is the same.
func (s *IdempotencyStore) Claim(ctx context.Context, scope string, keyHash, fingerprint []byte, lock time.Duration) (
	claimed bool, reply []byte, err error,
) {
	for range maxClaims {
		err = s.db.pool.QueryRow(ctx, claimSQL, scope, keyHash, fingerprint, lock).Scan(&claimed)
		if err == nil {
			return true, nil, nil
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return false, nil, translate(err, "claim an idempotency key", nil)
		}
		// A statement of its own, since the one above does not see a row that is newer than itself.
		var same bool
		err = s.db.pool.QueryRow(ctx, readClaimSQL, scope, keyHash, fingerprint).Scan(&same, &reply)
		switch {
		case errors.Is(err, pgx.ErrNoRows): // released just now
			continue
		case err != nil:
			return false, nil, translate(err, "read an idempotency key", nil)
		case !same:
			return false, nil, ErrIdempotencyMismatch
		case reply == nil:
			return false, nil, ErrIdempotencyInProgress
		}
		return false, reply, nil
	}
	return false, nil, ErrIdempotencyInProgress
}

const completeSQL = `UPDATE idempotency_keys SET reply = $3 WHERE scope = $1 AND key_hash = $2 AND reply IS NULL`

// Complete keeps the reply of a claimed request. The first reply stays: when a lock ran out and two ran the same request,
// both callers of later get one answer.
func (s *IdempotencyStore) Complete(ctx context.Context, scope string, keyHash, reply []byte) error {
	if reply == nil {
		reply = []byte{} // null means that there is none yet
	}
	_, err := s.db.pool.Exec(ctx, completeSQL, scope, keyHash, reply)
	return translate(err, "complete an idempotency key", nil)
}

const releaseSQL = `DELETE FROM idempotency_keys WHERE scope = $1 AND key_hash = $2 AND reply IS NULL`

// Release gives a claim up after a failure, so that the request may be tried again at once. A reply that is there stays.
func (s *IdempotencyStore) Release(ctx context.Context, scope string, keyHash []byte) error {
	_, err := s.db.pool.Exec(ctx, releaseSQL, scope, keyHash)
	return translate(err, "release an idempotency key", nil)
}
