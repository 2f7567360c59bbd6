package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/kadr-app/kadr/internal/blob"
)

const (
	// A reservation need not survive a crash of the database: CreateImage notices that it is gone. So it does not wait
	// for the disk. (SET LOCAL works in an explicit transaction only, set_config in the batch's implicit one too.)
	asyncCommitSQL = `SELECT set_config('synchronous_commit', 'off', true)`

	// Waits for a removal that has locked the row; when that deleted it, PostgreSQL inserts after all.
	reserveBlobSQL = `
INSERT INTO blobs AS b (ref, size, uploads, reserved_until) VALUES ($1, $2, 1, now() + $3::interval)
ON CONFLICT (ref) DO UPDATE
SET uploads = b.uploads + 1, reserved_until = greatest(b.reserved_until, excluded.reserved_until)`

	releaseBlobSQL = `UPDATE blobs SET uploads = uploads - 1 WHERE ref = $1 AND uploads > 0`
)

// ReserveBlob implements image.Store.
func (s *ImageStore) ReserveBlob(ctx context.Context, ref blob.Ref, size int64, lifetime time.Duration) error {
	batch := &pgx.Batch{}
	batch.Queue(asyncCommitSQL)
	batch.Queue(reserveBlobSQL, ref[:], size, lifetime)
	return translate(s.db.pool.Batch(ctx, batch), "reserve blob", nil)
}

// ReleaseBlob implements image.Store.
func (s *ImageStore) ReleaseBlob(ctx context.Context, ref blob.Ref) error {
	_, err := s.db.pool.Exec(ctx, releaseBlobSQL, ref[:])
	return translate(err, "release blob", nil)
}

// SweepReservations implements image.Store. It reads the whole table, which is small and cheap beside an index that every
// upload would have to keep.
func (s *ImageStore) SweepReservations(ctx context.Context) error {
	_, err := s.db.pool.Exec(ctx, `UPDATE blobs SET uploads = 0 WHERE uploads > 0 AND reserved_until <= now()`)
	return translate(err, "sweep reservations", nil)
}

const (
	// It fails while a backup needs every blob to stay. The blob is left to a sweep then.
	mayRemoveSQL = `SELECT pg_try_advisory_xact_lock_shared($1)`

	// A file without a row gets one, so that there is something to lock.
	ensureBlobSQL = `INSERT INTO blobs (ref, size) VALUES ($1, 0) ON CONFLICT (ref) DO NOTHING`

	lockForRemovalSQL = `SELECT 1 FROM blobs WHERE ref = $1 FOR UPDATE`

	// A statement of its own, so that it sees what was committed before the lock was had.
	isReferencedSQL = `
SELECT EXISTS (SELECT FROM images WHERE ref = $1)
    OR EXISTS (SELECT FROM blobs WHERE ref = $1 AND uploads > 0 AND reserved_until > now())`

	deleteBlobSQL = `DELETE FROM blobs WHERE ref = $1`
)

// errRowGone says that another removal of the same blob deleted the row while this one waited for its lock.
var errRowGone = errors.New("the blob's row is gone")

// removeAttempts bounds how often a removal is tried when each time another one was faster.
const removeAttempts = 20

// RemoveBlob implements image.Store. It is the one place where a transaction stays open over work on the disk: the lock
// on the row is what keeps an upload of the same bytes from relying on the file that is just being removed, and it must
// therefore be held until the file is gone. An upload of other bytes is not in its way.
func (s *ImageStore) RemoveBlob(ctx context.Context, ref blob.Ref, remove func(context.Context) error) (bool, error) {
	for attempt := 1; ; attempt++ {
		removed, err := s.tryRemoveBlob(ctx, ref, remove)
		if !errors.Is(err, errRowGone) || attempt == removeAttempts {
			return removed, translate(err, "remove blob", nil)
		}
	}
}

func (s *ImageStore) tryRemoveBlob(ctx context.Context, ref blob.Ref, remove func(context.Context) error) (bool, error) {
	removed := false
	err := s.db.withTx(ctx, func(tx pgx.Tx) error {
		removed = false
		mayRemove, locked, referenced := false, false, false
		if err := tx.QueryRow(ctx, mayRemoveSQL, int64(removalLock)).Scan(&mayRemove); err != nil || !mayRemove {
			return err
		}
		batch := &pgx.Batch{}
		batch.Queue(ensureBlobSQL, ref[:])
		batch.Queue(lockForRemovalSQL, ref[:]).Exec(func(tag pgconn.CommandTag) error {
			locked = tag.RowsAffected() == 1
			return nil
		})
		batch.Queue(isReferencedSQL, ref[:]).QueryRow(func(row pgx.Row) error { return row.Scan(&referenced) })
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		if !locked {
			return errRowGone // nothing may be removed without the lock
		}
		if referenced {
			return nil
		}
		if err := remove(ctx); err != nil {
			return fmt.Errorf("remove blob %s: %w", ref, err)
		}
		removed = true
		_, err := tx.Exec(ctx, deleteBlobSQL, ref[:])
		return err
	})
	return removed && err == nil, err
}

const unreferencedBlobsSQL = `
SELECT ref FROM blobs b
WHERE created_at <= now() - $1::interval
  AND NOT EXISTS (SELECT FROM images i WHERE i.ref = b.ref)
  AND (uploads = 0 OR reserved_until <= now())
ORDER BY created_at LIMIT $2`

// UnreferencedBlobs implements image.Store.
func (s *ImageStore) UnreferencedBlobs(ctx context.Context, age time.Duration, limit int) ([]blob.Ref, error) {
	rows, err := s.db.pool.Query(ctx, unreferencedBlobsSQL, age, limit)
	if err != nil {
		return nil, translate(err, "unreferenced blobs", nil)
	}
	refs, err := pgx.CollectRows(rows, scanRef)
	return refs, translate(err, "unreferenced blobs", nil)
}

// KnownBlobs implements image.Store.
func (s *ImageStore) KnownBlobs(ctx context.Context, refs []blob.Ref) (map[blob.Ref]bool, error) {
	return knownBlobs(ctx, s.db.pool, refs)
}

func knownBlobs(ctx context.Context, q querier, refs []blob.Ref) (map[blob.Ref]bool, error) {
	rows, err := q.Query(ctx, `SELECT ref FROM blobs WHERE ref = ANY($1)`, refBytes(refs))
	if err != nil {
		return nil, translate(err, "known blobs", nil)
	}
	found, err := pgx.CollectRows(rows, scanRef)
	known := make(map[blob.Ref]bool, len(found))
	for _, ref := range found {
		known[ref] = true
	}
	return known, translate(err, "known blobs", nil)
}

func scanRef(row pgx.CollectableRow) (blob.Ref, error) {
	var b []byte
	if err := row.Scan(&b); err != nil {
		return blob.Ref{}, err
	}
	return blob.Ref(b), nil
}

func refBytes(refs []blob.Ref) [][]byte {
	all := make([][]byte, len(refs))
	for i := range refs {
		all[i] = refs[i][:]
	}
	return all
}
