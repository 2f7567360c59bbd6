package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kadr-app/kadr/internal/account"
)

// touchTimeout is the most that noting a login's use may add to a request, at most once a minute.
const touchTimeout = time.Second

const sessionColumns = `s.id, s.user_agent, s.address, s.created_at, s.last_used_at, s.expires_at`

func scanSession(row pgx.Row) (account.Session, error) {
	var s account.Session
	err := row.Scan(&s.ID, &s.UserAgent, &s.Address, &s.CreatedAt, &s.LastUsedAt, &s.ExpiresAt)
	return s, err
}

// FOR SHARE waits for a change of the password that is at work, and then the hash is compared again: no session may
// begin with a password that has just been replaced. A change that comes later finds the session and ends it.
const insertSessionSQL = `
	WITH a AS (SELECT id FROM accounts WHERE id = $2 AND password_hash = $3 FOR SHARE)
	INSERT INTO sessions AS s (id, account_id, token_hash, user_agent, address, expires_at)
	SELECT $1, a.id, $4, $5, $6, now() + $7::interval FROM a
	RETURNING ` + sessionColumns

// CreateSession makes a session. Unauthenticated wrong_credentials when the account is gone or its password is no longer
// the one that was checked.
func (s *AccountStore) CreateSession(ctx context.Context, n account.NewSession) (account.Session, error) {
	session, err := scanSession(s.db.pool.QueryRow(ctx, insertSessionSQL,
		n.ID, n.AccountID, n.CheckedHash, n.TokenHash, n.UserAgent, n.Address, n.Lifetime))
	return session, translate(err, "create a session", known{noRows: account.ErrWrongCredentials})
}

const (
	sessionPrincipalSQL = `
		SELECT a.id, a.name, a.role, a.keep_metadata, a.default_visibility, s.id,
			s.last_used_at < now() - interval '1 minute'
		FROM sessions AS s JOIN accounts AS a ON a.id = s.account_id
		WHERE s.token_hash = $1 AND s.expires_at > now()`
	touchSessionSQL = `
		UPDATE sessions SET last_used_at = now() WHERE id = (
			SELECT id FROM sessions WHERE id = $1 AND last_used_at < now() - interval '1 minute' FOR UPDATE SKIP LOCKED
		)`
)

// SessionPrincipal returns who holds a session's token. Unauthenticated.
func (s *AccountStore) SessionPrincipal(ctx context.Context, tokenHash []byte) (account.Principal, error) {
	var p account.Principal
	var stale bool
	err := s.db.pool.QueryRow(ctx, sessionPrincipalSQL, tokenHash).Scan(
		&p.AccountID, &p.Name, &p.Role, &p.KeepMetadata, &p.DefaultVisibility, &p.SessionID, &stale)
	if err != nil {
		return account.Principal{}, translate(err, "authenticate a session", known{noRows: account.ErrUnauthenticated})
	}
	if stale {
		s.touch(ctx, touchSessionSQL, p.SessionID)
	}
	return p, nil
}

// touch notes that a login was used. It waits for nobody's lock, so that of many requests at once one writes and the
// others pass; and it may fail, since a time that is a minute older harms nobody.
func (s *AccountStore) touch(ctx context.Context, sql, id string) {
	ctx, cancel := context.WithTimeout(ctx, touchTimeout)
	defer cancel()
	_, _ = s.db.pool.Exec(ctx, sql, id)
}

const (
	listSessionsSQL = `
		SELECT ` + sessionColumns + ` FROM sessions AS s
		WHERE s.account_id = $1 AND s.expires_at > now()
		ORDER BY s.last_used_at DESC, s.id DESC LIMIT %d`
	listSessionsAfterSQL = `
		SELECT ` + sessionColumns + ` FROM sessions AS s
		WHERE s.account_id = $1 AND s.expires_at > now() AND (s.last_used_at, s.id) < ($2, $3)
		ORDER BY s.last_used_at DESC, s.id DESC LIMIT %d`
)

// ListSessions returns up to limit of an account's sessions beyond a position, the most recently used first.
func (s *AccountStore) ListSessions(ctx context.Context, accountID string, after account.Position, limit int) (
	[]account.Session, error,
) {
	sql, args := fmt.Sprintf(listSessionsSQL, limit), []any{accountID}
	if !after.IsZero() {
		sql, args = fmt.Sprintf(listSessionsAfterSQL, limit), append(args, after.At, after.ID)
	}
	rows, err := s.db.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, translate(err, "list sessions", nil)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (account.Session, error) { return scanSession(row) })
	return list, translate(err, "list sessions", nil)
}

const (
	endSessionSQL  = `DELETE FROM sessions WHERE id = $1 AND account_id = $2 AND expires_at > now()`
	endSessionsSQL = `DELETE FROM sessions WHERE account_id = $1`
)

// EndSession ends one of an account's sessions. NotFound.
func (s *AccountStore) EndSession(ctx context.Context, accountID, id string) error {
	tag, err := s.db.pool.Exec(ctx, endSessionSQL, id, accountID)
	if err == nil && tag.RowsAffected() == 0 {
		err = account.ErrSessionNotFound
	}
	return translate(err, "end a session", nil)
}

// EndSessions ends every session of an account.
func (s *AccountStore) EndSessions(ctx context.Context, accountID string) error {
	_, err := s.db.pool.Exec(ctx, endSessionsSQL, accountID)
	return translate(err, "end sessions", nil)
}
