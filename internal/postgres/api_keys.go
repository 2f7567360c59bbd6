package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kadr-app/kadr/internal/account"
)

const keyColumns = `k.id, k.name, k.prefix, k.scopes, k.created_at, k.last_used_at, k.expires_at`

func scanAPIKey(row pgx.Row) (account.APIKey, error) {
	var k account.APIKey
	err := row.Scan(&k.ID, &k.Name, &k.Prefix, &k.Scopes, &k.CreatedAt, &k.LastUsedAt, &k.ExpiresAt)
	return k, err
}

const (
	// One key at a time for each account, so that the count below cannot be passed by many requests at once.
	countKeysSQL = `SELECT (SELECT count(*) FROM api_keys WHERE account_id = a.id), now() FROM accounts AS a
		WHERE a.id = $1`
	lockKeysSQL  = `SELECT FROM accounts WHERE id = $1 FOR NO KEY UPDATE`
	insertKeySQL = `
		INSERT INTO api_keys AS k (id, account_id, name, prefix, secret_hash, scopes, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		RETURNING ` + keyColumns
)

// CreateAPIKey makes a key. NotFound when the account is gone; Conflict too_many_api_keys beyond maxKeys; Invalid
// expires_in_past.
func (s *AccountStore) CreateAPIKey(ctx context.Context, n account.NewAPIKey, maxKeys int) (account.APIKey, error) {
	var made account.APIKey
	err := s.db.withTx(ctx, func(tx pgx.Tx) error {
		var keys int
		var now time.Time
		batch := &pgx.Batch{} // two statements, so that the second counts what was committed while the first waited
		batch.Queue(lockKeysSQL, n.AccountID)
		batch.Queue(countKeysSQL, n.AccountID).QueryRow(func(row pgx.Row) error { return row.Scan(&keys, &now) })
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		if n.ExpiresAt != nil && !n.ExpiresAt.After(now) {
			return account.ErrExpiresInPast
		}
		if keys >= maxKeys {
			return account.ErrTooManyAPIKeys
		}
		var err error
		made, err = scanAPIKey(tx.QueryRow(ctx, insertKeySQL,
			n.ID, n.AccountID, n.Name, n.Prefix, n.SecretHash, n.Scopes, n.ExpiresAt))
		return err
	})
	return made, translate(err, "create an API key", known{noRows: account.ErrNotFound})
}

const (
	keyPrincipalSQL = `
		SELECT a.id, a.name, a.role, a.keep_metadata, a.default_visibility, k.id, k.scopes,
			k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute'
		FROM api_keys AS k JOIN accounts AS a ON a.id = k.account_id
		WHERE k.secret_hash = $1 AND (k.expires_at IS NULL OR k.expires_at > now())`
	touchKeySQL = `
		UPDATE api_keys SET last_used_at = now() WHERE id = (
			SELECT id FROM api_keys
			WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute') FOR UPDATE SKIP LOCKED
		)`
)

// KeyPrincipal returns who holds an API key. Unauthenticated.
func (s *AccountStore) KeyPrincipal(ctx context.Context, secretHash []byte) (account.Principal, error) {
	var p account.Principal
	var stale bool
	err := s.db.pool.QueryRow(ctx, keyPrincipalSQL, secretHash).Scan(
		&p.AccountID, &p.Name, &p.Role, &p.KeepMetadata, &p.DefaultVisibility, &p.KeyID, &p.Scopes, &stale)
	if err != nil {
		return account.Principal{}, translate(err, "authenticate an API key", known{noRows: account.ErrUnauthenticated})
	}
	if stale {
		s.touch(ctx, touchKeySQL, p.KeyID)
	}
	return p, nil
}

const (
	listKeysSQL = `
		SELECT ` + keyColumns + ` FROM api_keys AS k WHERE k.account_id = $1
		ORDER BY k.created_at DESC, k.id DESC LIMIT %d`
	listKeysAfterSQL = `
		SELECT ` + keyColumns + ` FROM api_keys AS k WHERE k.account_id = $1 AND (k.created_at, k.id) < ($2, $3)
		ORDER BY k.created_at DESC, k.id DESC LIMIT %d`
)

// ListAPIKeys returns up to limit of an account's keys beyond a position, the newest first.
func (s *AccountStore) ListAPIKeys(ctx context.Context, accountID string, after account.Position, limit int) (
	[]account.APIKey, error,
) {
	sql, args := fmt.Sprintf(listKeysSQL, limit), []any{accountID}
	if !after.IsZero() {
		sql, args = fmt.Sprintf(listKeysAfterSQL, limit), append(args, after.At, after.ID)
	}
	rows, err := s.db.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, translate(err, "list API keys", nil)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (account.APIKey, error) { return scanAPIKey(row) })
	return list, translate(err, "list API keys", nil)
}

const deleteKeySQL = `DELETE FROM api_keys WHERE id = $1 AND account_id = $2`

// DeleteAPIKey revokes one of an account's keys. NotFound.
func (s *AccountStore) DeleteAPIKey(ctx context.Context, accountID, id string) error {
	tag, err := s.db.pool.Exec(ctx, deleteKeySQL, id, accountID)
	if err == nil && tag.RowsAffected() == 0 {
		err = account.ErrAPIKeyNotFound
	}
	return translate(err, "delete an API key", nil)
}
