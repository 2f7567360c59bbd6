package postgres

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/jackc/pgx/v5"
)

const (
	signingKeysSQL = `SELECT key FROM signing_keys ORDER BY id DESC LIMIT 2`

	firstSigningKeySQL = `
INSERT INTO signing_keys (id, key) SELECT 1, $1 WHERE NOT EXISTS (SELECT FROM signing_keys) ON CONFLICT DO NOTHING`

	// Two rotations at the same time would find the same id free.
	lockSigningKeysSQL   = `LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE`
	insertSigningKeySQL  = `INSERT INTO signing_keys (id, key) SELECT coalesce(max(id), 0) + 1, $1 FROM signing_keys`
	dropOldSigningKeySQL = `DELETE FROM signing_keys WHERE id < (SELECT max(id) - 1 FROM signing_keys)`
)

// signingKeySize is the size of a key that is made here, in bytes.
const signingKeySize = 32

// SigningKeys implements variant.Store. The first call of all makes a random key.
func (s *VariantStore) SigningKeys(ctx context.Context) ([][]byte, error) {
	for range 2 {
		rows, err := s.db.pool.Query(ctx, signingKeysSQL)
		if err != nil {
			return nil, translate(err, "signing keys", nil)
		}
		keys, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
		if err != nil || len(keys) > 0 {
			return keys, translate(err, "signing keys", nil)
		}
		key := make([]byte, signingKeySize)
		_, _ = rand.Read(key) // never fails
		if _, err := s.db.pool.Exec(ctx, firstSigningKeySQL, key); err != nil {
			return nil, translate(err, "make a signing key", nil)
		}
	}
	return nil, errors.New("signing keys: they are gone as soon as they are made")
}

// RotateSigningKey implements variant.Store.
func (s *VariantStore) RotateSigningKey(ctx context.Context, key []byte) error {
	err := s.db.withTx(ctx, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(lockSigningKeysSQL)
		batch.Queue(insertSigningKeySQL, key)
		batch.Queue(dropOldSigningKeySQL)
		return tx.SendBatch(ctx, batch).Close()
	})
	return translate(err, "rotate the signing key", nil)
}
