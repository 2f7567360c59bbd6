package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/kadr-app/kadr/internal/account"
)

// AccountStore implements [account.Store]. Its methods are in accounts.go, sessions.go, api_keys.go and limits.go.
type AccountStore struct{ db *DB }

var _ account.Store = (*AccountStore)(nil)

// NewAccountStore returns an AccountStore over db.
func NewAccountStore(db *DB) *AccountStore { return &AccountStore{db: db} }

// errBecameEmpty says that the last account left between two statements of a registration.
var errBecameEmpty = errors.New("the instance became empty")

const accountColumns = `a.id, a.name, coalesce(a.email, ''), a.role, a.keep_metadata, a.default_visibility, a.revision,
	a.created_at, a.updated_at`

// accountFields are the places of accountColumns.
func accountFields(a *account.Account) []any {
	return []any{
		&a.ID, &a.Name, &a.Email, &a.Role, &a.KeepMetadata, &a.DefaultVisibility, &a.Revision, &a.CreatedAt, &a.UpdatedAt,
	}
}

const checkRegistrationSQL = `SELECT
	EXISTS (SELECT FROM accounts),
	EXISTS (SELECT FROM accounts WHERE name = $1),
	EXISTS (SELECT FROM invites WHERE code_hash = $2 AND expires_at > now())`

// CheckRegistration reads how the instance stands towards a new account, without a lock.
func (s *AccountStore) CheckRegistration(ctx context.Context, name string, inviteHash []byte) (
	account.RegistrationCheck, error,
) {
	var c account.RegistrationCheck
	err := s.db.pool.QueryRow(ctx, checkRegistrationSQL, name, inviteHash).Scan(&c.HasAccounts, &c.NameTaken, &c.InviteGood)
	return c, translate(err, "check a registration", nil)
}

const (
	lockRegistrationSQL = `SELECT CASE WHEN EXISTS (SELECT FROM accounts)
		THEN 'shared' || pg_advisory_xact_lock_shared($1)::text
		ELSE 'exclusive' || pg_advisory_xact_lock($1)::text END`
	hasAccountsSQL = `SELECT EXISTS (SELECT FROM accounts)`
	useInviteSQL   = `DELETE FROM invites WHERE code_hash = $1 AND expires_at > now()`

	insertAccountSQL = `
		WITH a AS (
			INSERT INTO accounts (id, name, email, role, password_hash) VALUES ($1, $2, nullif($3, ''), $4, $5)
			RETURNING *
		), usage AS (
			INSERT INTO account_usage (account_id, quota_bytes) SELECT id, $6 FROM a
		)
		SELECT ` + accountColumns + ` FROM a`
)

// CreateAccount makes an account with its usage row, the first of the instance as an administrator, and uses up the
// invitation if one is needed. Conflict name_taken; Forbidden registration_closed or invite_needed.
func (s *AccountStore) CreateAccount(ctx context.Context, n account.NewAccount) (account.Account, error) {
	var made account.Account
	create := func(tx pgx.Tx) error {
		first, err := lockRegistration(ctx, tx)
		if err != nil {
			return err
		}
		role := n.Role
		switch {
		case first:
			role = account.RoleAdmin
		case n.FirstOnly:
			return account.ErrRegistrationClosed
		case n.InviteHash != nil:
			tag, err := tx.Exec(ctx, useInviteSQL, n.InviteHash)
			if err != nil {
				return err
			}
			if tag.RowsAffected() == 0 {
				return account.ErrInviteNeeded
			}
		}
		return tx.QueryRow(ctx, insertAccountSQL, n.ID, n.Name, n.Email, role, n.PasswordHash, n.QuotaBytes).
			Scan(accountFields(&made)...)
	}
	err := s.db.withTx(ctx, create)
	for range maxTxAttempts {
		if !errors.Is(err, errBecameEmpty) {
			break
		}
		err = s.db.withTx(ctx, create)
	}
	return made, translate(err, "create an account", known{"accounts_name_key": account.ErrNameTaken})
}

// lockRegistration holds off whoever would change that the instance is empty, or is not, until the transaction ends.
// Registrations go on side by side on an instance that has accounts.
func lockRegistration(ctx context.Context, tx pgx.Tx) (first bool, err error) {
	var lock string
	var hasAccounts bool
	batch := &pgx.Batch{} // two statements, so that the second sees what was committed while the first waited
	batch.Queue(lockRegistrationSQL, int64(administratorsLock)).QueryRow(func(row pgx.Row) error { return row.Scan(&lock) })
	batch.Queue(hasAccountsSQL).QueryRow(func(row pgx.Row) error { return row.Scan(&hasAccounts) })
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return false, err
	}
	if !hasAccounts && lock == "shared" {
		return false, errBecameEmpty
	}
	return !hasAccounts, nil
}

const (
	accountByIDSQL   = `SELECT ` + accountColumns + ` FROM accounts AS a WHERE a.id = $1`
	accountByNameSQL = `SELECT ` + accountColumns + ` FROM accounts AS a WHERE a.name = $1`
)

// Account returns an account by its id. NotFound.
func (s *AccountStore) Account(ctx context.Context, id string) (account.Account, error) {
	var a account.Account
	err := s.db.pool.QueryRow(ctx, accountByIDSQL, id).Scan(accountFields(&a)...)
	return a, translate(err, "read an account", known{noRows: account.ErrNotFound})
}

// AccountByName returns an account by its name. NotFound.
func (s *AccountStore) AccountByName(ctx context.Context, name string) (account.Account, error) {
	var a account.Account
	err := s.db.pool.QueryRow(ctx, accountByNameSQL, name).Scan(accountFields(&a)...)
	return a, translate(err, "read an account by name", known{noRows: account.ErrNotFound})
}

const usageSQL = `SELECT bytes, images, quota_bytes FROM account_usage WHERE account_id = $1`

// Usage returns what an account holds. NotFound.
func (s *AccountStore) Usage(ctx context.Context, id string) (account.Usage, error) {
	var u account.Usage
	err := s.db.pool.QueryRow(ctx, usageSQL, id).Scan(&u.Bytes, &u.Images, &u.QuotaBytes)
	return u, translate(err, "read an account's usage", known{noRows: account.ErrNotFound})
}

const (
	hashByIDSQL   = `SELECT id, password_hash FROM accounts WHERE id = $1`
	hashByNameSQL = `SELECT id, password_hash FROM accounts WHERE name = $1`
)

// Credentials returns what an account's password is checked against. NotFound.
func (s *AccountStore) Credentials(ctx context.Context, id string) (account.Credentials, error) {
	return s.credentials(ctx, hashByIDSQL, id)
}

// CredentialsByName returns what the password of the account of that name is checked against. NotFound.
func (s *AccountStore) CredentialsByName(ctx context.Context, name string) (account.Credentials, error) {
	return s.credentials(ctx, hashByNameSQL, name)
}

func (s *AccountStore) credentials(ctx context.Context, sql, key string) (account.Credentials, error) {
	var c account.Credentials
	err := s.db.pool.QueryRow(ctx, sql, key).Scan(&c.AccountID, &c.PasswordHash)
	return c, translate(err, "read credentials", known{noRows: account.ErrNotFound})
}

const listAccountsSQL = `
	SELECT ` + accountColumns + `, u.bytes, u.images, u.quota_bytes
	FROM accounts AS a JOIN account_usage AS u ON u.account_id = a.id
	WHERE a.name > $1 ORDER BY a.name LIMIT %d`

// ListAccounts returns up to limit accounts beyond a name, by name.
func (s *AccountStore) ListAccounts(ctx context.Context, afterName string, limit int) ([]account.Overview, error) {
	rows, err := s.db.pool.Query(ctx, fmt.Sprintf(listAccountsSQL, limit), afterName)
	if err != nil {
		return nil, translate(err, "list accounts", nil)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (account.Overview, error) {
		var o account.Overview
		err := row.Scan(append(accountFields(&o.Account), &o.Usage.Bytes, &o.Usage.Images, &o.Usage.QuotaBytes)...)
		return o, err
	})
	return list, translate(err, "list accounts", nil)
}

const setQuotaSQL = `UPDATE account_usage SET quota_bytes = $2 WHERE account_id = $1`

// SetQuota sets how many bytes an account may hold. NotFound.
func (s *AccountStore) SetQuota(ctx context.Context, id string, quotaBytes *int64) error {
	tag, err := s.db.pool.Exec(ctx, setQuotaSQL, id, quotaBytes)
	if err == nil && tag.RowsAffected() == 0 {
		err = account.ErrNotFound
	}
	return translate(err, "set a quota", nil)
}

const insertInviteSQL = `INSERT INTO invites (code_hash, expires_at) VALUES ($1, now() + $2::interval) RETURNING expires_at`

// CreateInvite keeps an invitation and returns when it expires.
func (s *AccountStore) CreateInvite(ctx context.Context, codeHash []byte, lifetime time.Duration) (time.Time, error) {
	var expiresAt time.Time
	err := s.db.pool.QueryRow(ctx, insertInviteSQL, codeHash, lifetime).Scan(&expiresAt)
	return expiresAt, translate(err, "create an invitation", nil)
}

// record is an account with its password hash, locked.
type record struct {
	account.Account
	passwordHash string
}

const (
	lockUsageRowSQL = `SELECT FROM account_usage WHERE account_id = $1 FOR UPDATE`
	lockAccountSQL  = `SELECT ` + accountColumns + `, a.password_hash FROM accounts AS a WHERE a.id = $1 FOR UPDATE`
)

// lockAccount locks an account's rows in the order that everybody keeps: the usage row, then the account. While it
// holds, nothing is uploaded or deleted, no session begins, and the account stays what was read. NotFound.
func lockAccount(ctx context.Context, tx pgx.Tx, id string) (record, error) {
	var r record
	batch := &pgx.Batch{}
	batch.Queue(lockUsageRowSQL, id)
	batch.Queue(lockAccountSQL, id).QueryRow(func(row pgx.Row) error {
		return row.Scan(append(accountFields(&r.Account), &r.passwordHash)...)
	})
	err := tx.SendBatch(ctx, batch).Close()
	return r, translate(err, "lock an account", known{noRows: account.ErrNotFound})
}

const (
	updateAccountSQL = `
		UPDATE accounts AS a SET name = $2, email = nullif($3, ''), keep_metadata = $4, default_visibility = $5,
			password_hash = $6, revision = a.revision + 1, updated_at = now()
		WHERE a.id = $1 RETURNING ` + accountColumns
	// The revision too, since a picture's ETag stands for its account's name as well.
	renameImagesSQL     = `UPDATE images SET account_name = $2, revision = revision + 1 WHERE account_id = $1`
	endOtherSessionsSQL = `DELETE FROM sessions WHERE account_id = $1 AND id <> $2`
	// What touches every picture of an account may take longer than a request's other statements.
	longStatementsSQL = `SET LOCAL statement_timeout = '10min'`
)

// UpdateAccount applies a change to an account; a new name goes to its pictures as well, and a new password ends its
// sessions but for the one to keep. NotFound; PreconditionFailed; Conflict name_taken; Forbidden wrong_password when the
// password became another one since it was checked.
func (s *AccountStore) UpdateAccount(ctx context.Context, id string, c account.Change, ifRevision account.IfRevision) (
	account.Account, error,
) {
	var updated account.Account
	err := s.db.withTx(ctx, func(tx pgx.Tx) error {
		r, err := lockAccount(ctx, tx, id)
		if err != nil {
			return err
		}
		if !ifRevision.Allows(r.Revision) {
			return account.ErrPreconditionFailed
		}
		if c.CheckedHash != "" && c.CheckedHash != r.passwordHash {
			return account.ErrWrongPassword
		}
		oldName := r.Name
		r.apply(c)
		err = tx.QueryRow(ctx, updateAccountSQL, id, r.Name, r.Email, r.KeepMetadata, r.DefaultVisibility, r.passwordHash).
			Scan(accountFields(&updated)...)
		if err != nil {
			return err
		}
		batch := &pgx.Batch{}
		if c.PasswordHash != nil {
			batch.Queue(endOtherSessionsSQL, id, c.KeepSession)
		}
		if r.Name != oldName {
			batch.Queue(longStatementsSQL)
			batch.Queue(renameImagesSQL, id, r.Name)
		}
		if batch.Len() == 0 {
			return nil
		}
		return tx.SendBatch(ctx, batch).Close()
	})
	return updated, translate(err, "update an account", known{"accounts_name_key": account.ErrNameTaken})
}

func (r *record) apply(c account.Change) {
	set(&r.Name, c.Name)
	set(&r.Email, c.Email)
	set(&r.KeepMetadata, c.KeepMetadata)
	set(&r.DefaultVisibility, c.DefaultVisibility)
	set(&r.passwordHash, c.PasswordHash)
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

const setRoleSQL = `UPDATE accounts SET role = $2, revision = revision + 1, updated_at = now() WHERE id = $1`

// SetRole gives an account another role. NotFound; Conflict last_administrator.
func (s *AccountStore) SetRole(ctx context.Context, id string, role account.Role) error {
	err := s.db.withTx(ctx, func(tx pgx.Tx) error {
		r, err := lockAccount(ctx, tx, id)
		if err != nil || r.Role == role {
			return err
		}
		if r.Role == account.RoleAdmin {
			others, err := lockAdministrators(ctx, tx, id)
			if err != nil {
				return err
			}
			if !others.administrators {
				return account.ErrLastAdministrator
			}
		}
		_, err = tx.Exec(ctx, setRoleSQL, id, role)
		return err
	})
	return translate(err, "set a role", nil)
}

// others says who is there beside one account.
type others struct{ accounts, administrators bool }

const (
	lockAdministratorsSQL = `SELECT pg_advisory_xact_lock($1)`
	othersSQL             = `SELECT EXISTS (SELECT FROM accounts WHERE id <> $1),
		EXISTS (SELECT FROM accounts WHERE id <> $1 AND role = 'admin')`
)

// lockAdministrators holds off whoever would register or take another administrator away, until the transaction ends,
// and tells who there is beside the account.
func lockAdministrators(ctx context.Context, tx pgx.Tx, id string) (others, error) {
	var o others
	batch := &pgx.Batch{} // two statements, so that the second sees what was committed while the first waited
	batch.Queue(lockAdministratorsSQL, int64(administratorsLock))
	batch.Queue(othersSQL, id).QueryRow(func(row pgx.Row) error { return row.Scan(&o.accounts, &o.administrators) })
	err := tx.SendBatch(ctx, batch).Close()
	return o, err
}

const (
	deleteImagesOfAccountSQL = `
		WITH gone AS (DELETE FROM images WHERE account_id = $1 RETURNING id)
		INSERT INTO deleted_images (id) SELECT id FROM gone`
	deleteAccountSQL = `DELETE FROM accounts WHERE id = $1` // sessions, API keys and the usage row go along
)

// DeleteAccount removes an account, and returns how many pictures went with it; their ids are kept, so that their links
// say that they are gone. The blobs stay, with nobody's reference. NotFound; PreconditionFailed; Invalid
// confirmation_mismatch; Conflict last_administrator.
func (s *AccountStore) DeleteAccount(ctx context.Context, id, confirmName string, ifRevision account.IfRevision) (
	images int64, err error,
) {
	err = s.db.withTx(ctx, func(tx pgx.Tx) error {
		r, err := lockAccount(ctx, tx, id)
		if err != nil {
			return err
		}
		if !ifRevision.Allows(r.Revision) {
			return account.ErrPreconditionFailed
		}
		if r.Name != confirmName {
			return account.ErrConfirmationMismatch
		}
		if r.Role == account.RoleAdmin {
			others, err := lockAdministrators(ctx, tx, id)
			if err != nil {
				return err
			}
			if others.accounts && !others.administrators {
				return account.ErrLastAdministrator
			}
		}
		batch := &pgx.Batch{}
		batch.Queue(longStatementsSQL)
		batch.Queue(deleteImagesOfAccountSQL, id).Exec(func(tag pgconn.CommandTag) error {
			images = tag.RowsAffected()
			return nil
		})
		batch.Queue(deleteAccountSQL, id)
		return tx.SendBatch(ctx, batch).Close()
	})
	return images, translate(err, "delete an account", nil)
}
