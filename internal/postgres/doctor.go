package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/doctor"
)

// DoctorStore shows blobs' rows and accounts' usage to those who examine them; it implements doctor.Store.
type DoctorStore struct {
	db     *DB
	images *ImageStore
}

var _ doctor.Store = (*DoctorStore)(nil)

// NewDoctorStore returns a DoctorStore over db.
func NewDoctorStore(db *DB) *DoctorStore { return &DoctorStore{db: db, images: NewImageStore(db)} }

// Totals implements doctor.Store.
func (s *DoctorStore) Totals(ctx context.Context) (blobs, bytes int64, err error) {
	err = s.long(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*), coalesce(sum(size), 0)::bigint FROM blobs`).Scan(&blobs, &bytes)
	})
	return blobs, bytes, translate(err, "total of blobs", nil)
}

// long runs fn in a transaction whose statements may look at a whole table.
func (s *DoctorStore) long(ctx context.Context, fn func(pgx.Tx) error) error {
	return retry(ctx, func() error {
		return s.db.tryTx(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, longStatementsSQL); err != nil {
				return err
			}
			return fn(tx)
		})
	})
}

// The empty text comes before every ref.
const pageOfBlobsSQL = `
SELECT ref, size, lost_at, created_at,
    EXISTS (SELECT FROM images i WHERE i.ref = b.ref),
    b.uploads > 0 AND b.reserved_until > now()
FROM blobs b WHERE ref > $1 ORDER BY ref LIMIT %d`

// Blobs implements doctor.Store.
func (s *DoctorStore) Blobs(ctx context.Context, after *blob.Ref, limit int) ([]doctor.Blob, error) {
	from := []byte{}
	if after != nil {
		from = after[:]
	}
	rows, err := s.db.pool.Query(ctx, fmt.Sprintf(pageOfBlobsSQL, limit), from)
	if err != nil {
		return nil, translate(err, "page of blobs", nil)
	}
	page, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (doctor.Blob, error) {
		var b doctor.Blob
		var ref []byte
		if err := row.Scan(&ref, &b.Size, &b.LostAt, &b.CreatedAt, &b.Referenced, &b.Reserved); err != nil {
			return doctor.Blob{}, err
		}
		b.Ref = blob.Ref(ref)
		return b, nil
	})
	return page, translate(err, "page of blobs", nil)
}

const (
	// FOR UPDATE is in the way of a reservation (an update), of a new image (its foreign key) and of a removal.
	lockBlobSQL = `SELECT size, lost_at, created_at FROM blobs WHERE ref = $1 FOR UPDATE`

	// Statements of their own, so that they see what was committed before the lock was had.
	standingOfBlobSQL = `
SELECT (SELECT count(*) FROM images WHERE ref = $1),
    EXISTS (SELECT FROM blobs WHERE ref = $1 AND uploads > 0 AND reserved_until > now())`

	imagesOfBlobSQL = `SELECT id, account_name FROM images WHERE ref = $1 ORDER BY created_at, id LIMIT %d`

	markLostSQL = `UPDATE blobs SET lost_at = coalesce(lost_at, now()) WHERE ref = $1`

	markSoundSQL = `UPDATE blobs SET lost_at = NULL, size = $2 WHERE ref = $1`
)

// LockBlob implements doctor.Store. Like RemoveBlob it keeps a transaction open over work on the disk, and for the same
// reason: what is seen of the file, and done to it, is only true while nobody else may touch it. No other row is locked,
// so there is no order to break.
func (s *DoctorStore) LockBlob(
	ctx context.Context, ref blob.Ref, look func(context.Context, doctor.Blob) (*doctor.Correction, error),
) error {
	err := s.db.withTx(ctx, func(tx pgx.Tx) error {
		b := doctor.Blob{Ref: ref}
		batch := &pgx.Batch{}
		batch.Queue(lockBlobSQL, ref[:]).QueryRow(func(row pgx.Row) error { return row.Scan(&b.Size, &b.LostAt, &b.CreatedAt) })
		batch.Queue(standingOfBlobSQL, ref[:]).QueryRow(func(row pgx.Row) error { return row.Scan(&b.References, &b.Reserved) })
		batch.Queue(fmt.Sprintf(imagesOfBlobSQL, doctor.MaxImages), ref[:]).Query(func(rows pgx.Rows) (err error) {
			b.Images, err = pgx.CollectRows(rows, pgx.RowToStructByPos[doctor.ImageRef])
			return err
		})
		if err := tx.SendBatch(ctx, batch).Close(); errors.Is(err, pgx.ErrNoRows) {
			return nil
		} else if err != nil {
			return err
		}
		b.Referenced = b.References > 0
		correction, err := look(ctx, b)
		if err != nil || correction == nil {
			return err
		}
		if correction.Lost {
			_, err = tx.Exec(ctx, markLostSQL, ref[:])
		} else {
			_, err = tx.Exec(ctx, markSoundSQL, ref[:], correction.Size)
		}
		return err
	})
	return translate(err, "lock blob", nil)
}

// RemoveBlob implements doctor.Store.
func (s *DoctorStore) RemoveBlob(ctx context.Context, ref blob.Ref, remove func(context.Context) error) (bool, error) {
	return s.images.RemoveBlob(ctx, ref, remove)
}

// KnownBlobs implements doctor.Store.
func (s *DoctorStore) KnownBlobs(ctx context.Context, refs []blob.Ref) (map[blob.Ref]bool, error) {
	return s.images.KnownBlobs(ctx, refs)
}

// The page is cut before the sums, each of which reads one range of an index.
const pageOfUsagesSQL = `
SELECT a.id, a.name, u.account_id IS NOT NULL, coalesce(u.bytes, 0), coalesce(u.images, 0), i.bytes, i.images
FROM (SELECT id, name FROM accounts WHERE id > $1 ORDER BY id LIMIT %d) a
LEFT JOIN account_usage u ON u.account_id = a.id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(size), 0)::bigint AS bytes, count(*) AS images FROM images WHERE account_id = a.id
) i
ORDER BY a.id`

// Usages implements doctor.Store.
func (s *DoctorStore) Usages(ctx context.Context, afterAccountID string, limit int) ([]doctor.Usage, error) {
	var page []doctor.Usage
	err := s.long(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, fmt.Sprintf(pageOfUsagesSQL, limit), afterAccountID)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (doctor.Usage, error) {
			var u doctor.Usage
			err := row.Scan(&u.AccountID, &u.AccountName, &u.OnRecord, &u.Bytes, &u.Images, &u.SumBytes, &u.SumImages)
			return u, err
		})
		return err
	})
	return page, translate(err, "page of usages", nil)
}

const (
	addUsageSQL = `
INSERT INTO account_usage (account_id) SELECT id FROM accounts WHERE id = $1
    AND NOT EXISTS (SELECT FROM account_usage WHERE account_id = $1)
ON CONFLICT DO NOTHING`

	// A statement of its own after the lock, which every upload and deletion of the account takes first.
	addUpUsageSQL = `
UPDATE account_usage u SET bytes = i.bytes, images = i.images
FROM (SELECT coalesce(sum(size), 0)::bigint AS bytes, count(*) AS images FROM images WHERE account_id = $1) i
WHERE u.account_id = $1`
)

// RepairUsage implements doctor.Store.
func (s *DoctorStore) RepairUsage(ctx context.Context, accountID string) (bool, error) {
	repaired := false
	err := s.long(ctx, func(tx pgx.Tx) error {
		for _, sql := range []string{addUsageSQL, lockUsageRowSQL} {
			if _, err := tx.Exec(ctx, sql, accountID); err != nil {
				return err
			}
		}
		tag, err := tx.Exec(ctx, addUpUsageSQL, accountID)
		repaired = err == nil && tag.RowsAffected() == 1
		return err
	})
	return repaired, translate(err, "repair usage", nil)
}
