package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kadr-app/kadr/internal/account"
)

// The generic cell rate algorithm: tat is when the attempts so far will have come back, each of which costs an interval,
// and an attempt passes unless it would push tat more than a window ahead. The row's lock makes it one step for any
// number of requests and replicas. Times go out as microseconds from now, so that only the database's clock counts.
const (
	takeAttemptSQL = `
		INSERT INTO rate_limits AS r (key, tat) VALUES ($1, now() + $2::interval)
		ON CONFLICT (key) DO UPDATE SET tat = greatest(r.tat, now()) + $2::interval
		WHERE greatest(r.tat, now()) + $2::interval <= now() + $3::interval
		RETURNING (extract(epoch FROM tat - now()) * 1000000)::bigint`
	// A statement of its own, since the one above does not see the row that refused it if that is newer than itself.
	attemptDebtSQL   = `SELECT (extract(epoch FROM tat - now()) * 1000000)::bigint FROM rate_limits WHERE key = $1`
	returnAttemptSQL = `UPDATE rate_limits SET tat = tat - $2::interval WHERE key = $1 AND tat > now()`
)

// TakeAttempt counts an attempt at key if the limit allows it, and returns how the limit stands.
func (s *AccountStore) TakeAttempt(ctx context.Context, key string, limit account.Limit) (account.LimitState, error) {
	var micros int64
	err := s.db.pool.QueryRow(ctx, takeAttemptSQL, key, limit.Interval(), limit.Window).Scan(&micros)
	if errors.Is(err, pgx.ErrNoRows) {
		debt, err := s.attemptDebt(ctx, key)
		return limit.State(false, debt), err
	}
	return limit.State(true, time.Duration(micros)*time.Microsecond), translate(err, "count an attempt", nil)
}

// LimitState returns how the limit at key stands, and counts nothing.
func (s *AccountStore) LimitState(ctx context.Context, key string, limit account.Limit) (account.LimitState, error) {
	debt, err := s.attemptDebt(ctx, key)
	return limit.State(true, debt), err
}

// attemptDebt is zero where nothing counts, or where what did was swept.
func (s *AccountStore) attemptDebt(ctx context.Context, key string) (time.Duration, error) {
	var micros int64
	err := s.db.pool.QueryRow(ctx, attemptDebtSQL, key).Scan(&micros)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return time.Duration(micros) * time.Microsecond, translate(err, "look at a limit", nil)
}

// ReturnAttempt takes one attempt at key back.
func (s *AccountStore) ReturnAttempt(ctx context.Context, key string, limit account.Limit) error {
	_, err := s.db.pool.Exec(ctx, returnAttemptSQL, key, limit.Interval())
	return translate(err, "return an attempt", nil)
}

// What another replica's sweep holds is left to it, so that two never wait for each other.
const (
	sweepSessionsSQL = `DELETE FROM sessions WHERE id IN (
		SELECT id FROM sessions WHERE expires_at <= now() FOR UPDATE SKIP LOCKED)`
	sweepInvitesSQL = `DELETE FROM invites WHERE code_hash IN (
		SELECT code_hash FROM invites WHERE expires_at <= now() FOR UPDATE SKIP LOCKED)`
	sweepLimitsSQL = `DELETE FROM rate_limits WHERE key IN (
		SELECT key FROM rate_limits WHERE tat <= now() FOR UPDATE SKIP LOCKED)`
	sweepIdempotencyKeysSQL = `DELETE FROM idempotency_keys WHERE (scope, key_hash) IN (
		SELECT scope, key_hash FROM idempotency_keys WHERE created_at <= now() - interval '24 hours' FOR UPDATE SKIP LOCKED)`
)

// Sweep removes what has expired. Each kind is removed by itself: what came before a failure stays removed.
func (s *AccountStore) Sweep(ctx context.Context) (account.Swept, error) {
	var swept account.Swept
	for _, step := range []struct {
		what    string
		sql     string
		removed *int64
	}{
		{"sweep sessions", sweepSessionsSQL, &swept.Sessions},
		{"sweep invitations", sweepInvitesSQL, &swept.Invites},
		{"sweep limits", sweepLimitsSQL, &swept.Limits},
		{"sweep idempotency keys", sweepIdempotencyKeysSQL, &swept.IdempotencyKeys},
	} {
		tag, err := s.db.pool.Exec(ctx, step.sql)
		if err != nil {
			return swept, translate(err, step.what, nil)
		}
		*step.removed = tag.RowsAffected()
	}
	return swept, nil
}
