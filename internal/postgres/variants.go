package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/variant"
)

// VariantStore keeps the accounts of variants' files, and the keys that links are signed with; it implements
// variant.Store.
//
// A blob's row is locked before rows of its variants are: that is the order of a removal too. Statements that lock
// variants alone either take them in the order of the primary key or leave out what somebody else has locked.
type VariantStore struct{ db *DB }

var _ variant.Store = (*VariantStore)(nil)

// NewVariantStore returns a VariantStore over db.
func NewVariantStore(db *DB) *VariantStore { return &VariantStore{db: db} }

// send runs statements in one transaction that does not wait for the disk: these rows are about a cache. queue fills the
// batch, and is called again when PostgreSQL gave up on the transaction.
func (s *VariantStore) send(ctx context.Context, op string, queue func(*pgx.Batch)) error {
	err := retry(ctx, func() error {
		batch := &pgx.Batch{}
		batch.Queue(asyncCommitSQL)
		queue(batch)
		return s.db.pool.Batch(ctx, batch)
	})
	return translate(err, op, nil)
}

const (
	// The lock makes a claim wait for a removal of the blob, and a removal for the claim.
	claimVariantsSQL = `
WITH b AS MATERIALIZED (SELECT ref FROM blobs WHERE ref = $1 FOR KEY SHARE)
INSERT INTO variants AS v (ref, name, claimed_until)
SELECT b.ref, n.name, now() + $3::interval FROM b, unnest($2::text[]) AS n (name) ORDER BY n.name
ON CONFLICT (ref, name) DO UPDATE SET claimed_until = excluded.claimed_until
WHERE v.claimed_until <= now() AND v.failed_until <= now()
RETURNING v.name`

	// A blob without such variants is one row of nulls, and no blob is no row.
	failedVariantsSQL = `
SELECT v.name, v.failure FROM blobs b
LEFT JOIN variants v ON v.ref = b.ref AND v.name = ANY($2) AND v.failed_until > now() AND v.failure IS NOT NULL
WHERE b.ref = $1`
)

// Claim implements variant.Store.
func (s *VariantStore) Claim(ctx context.Context, ref blob.Ref, names []string, lifetime time.Duration) ([]variant.Claim, error) {
	var (
		granted  []string
		failures map[string]*apperr.Error
	)
	err := s.send(ctx, "claim variants", func(batch *pgx.Batch) {
		batch.Queue(claimVariantsSQL, ref[:], names, lifetime).Query(func(rows pgx.Rows) (err error) {
			granted, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
	})
	if err == nil && len(granted) < len(names) {
		failures, err = s.failures(ctx, ref, names)
	}
	if err != nil {
		return nil, err
	}
	claims := make([]variant.Claim, len(names))
	at := make(map[string]*variant.Claim, len(names))
	for i, name := range names {
		claims[i] = variant.Claim{Name: name, Failure: failures[name]}
		at[name] = &claims[i]
	}
	for _, name := range granted {
		at[name].Granted, at[name].Failure = true, nil
	}
	return claims, nil
}

// failures returns why variants of a blob cannot be made; blob.ErrNotFound when there is no such blob.
func (s *VariantStore) failures(ctx context.Context, ref blob.Ref, names []string) (map[string]*apperr.Error, error) {
	rows, err := s.db.pool.Query(ctx, failedVariantsSQL, ref[:], names)
	if err != nil {
		return nil, translate(err, "claim variants", nil)
	}
	failures, exists := map[string]*apperr.Error{}, false
	var name *string
	var failure []byte
	_, err = pgx.ForEachRow(rows, []any{&name, &failure}, func() error {
		exists = true
		if name != nil {
			failures[*name] = readFailure(failure)
		}
		return nil
	})
	if err == nil && !exists {
		return nil, blob.ErrNotFound
	}
	return failures, translate(err, "claim variants", nil)
}

// Renew implements variant.Store.
func (s *VariantStore) Renew(ctx context.Context, ref blob.Ref, names []string, lifetime time.Duration) error {
	return s.update(ctx, "renew claims", `claimed_until = now() + $3::interval`, ref, names, lifetime)
}

// Release implements variant.Store.
func (s *VariantStore) Release(ctx context.Context, ref blob.Ref, names []string) error {
	return s.update(ctx, "release claims", `claimed_until = '-infinity'`, ref, names)
}

// Fail implements variant.Store.
func (s *VariantStore) Fail(ctx context.Context, ref blob.Ref, names []string, failure *apperr.Error, remember time.Duration) error {
	text, err := writeFailure(failure)
	if err != nil {
		return err
	}
	return s.update(ctx, "remember a failure",
		`claimed_until = '-infinity', failed_until = now() + $3::interval, failure = $4::jsonb`, ref, names, remember, text)
}

// update sets columns of some of a blob's variants, from parameters that begin with $3.
func (s *VariantStore) update(ctx context.Context, op, set string, ref blob.Ref, names []string, args ...any) error {
	sql := `
UPDATE variants v SET ` + set + `
FROM (SELECT ref, name FROM variants WHERE ref = $1 AND name = ANY($2) ORDER BY name FOR UPDATE) AS locked
WHERE v.ref = locked.ref AND v.name = locked.name`
	return s.send(ctx, op, func(batch *pgx.Batch) { batch.Queue(sql, append([]any{ref[:], names}, args...)...) })
}

const (
	// A file of a blob that is gone has no row in blobs to be joined with.
	recordMadeSQL = `
INSERT INTO variants AS v (ref, name, size)
SELECT b.ref, m.name, m.size FROM unnest($1::bytea[], $2::text[], $3::bigint[]) AS m (ref, name, size)
JOIN blobs b ON b.ref = m.ref ORDER BY m.ref, m.name FOR KEY SHARE OF b
ON CONFLICT (ref, name) DO UPDATE
SET size = excluded.size, used_at = excluded.used_at, used_hour = excluded.used_hour,
    claimed_until = '-infinity', failed_until = '-infinity', failure = NULL`

	// A claim without a file yet becomes one with a file, and stays a claim. Nearly all that a walk finds is on record
	// already, and must not be locked, which writes.
	adoptSQL = `
INSERT INTO variants AS v (ref, name, size)
SELECT b.ref, m.name, m.size FROM unnest($1::bytea[], $2::text[], $3::bigint[]) AS m (ref, name, size)
JOIN blobs b ON b.ref = m.ref
WHERE NOT EXISTS (SELECT FROM variants r WHERE r.ref = m.ref AND r.name = m.name AND r.size > 0)
ORDER BY m.ref, m.name FOR KEY SHARE OF b
ON CONFLICT (ref, name) DO UPDATE SET size = excluded.size, used_at = excluded.used_at, used_hour = excluded.used_hour
WHERE v.size = 0`

	// A row that somebody has locked is one that is being made or evicted: the use does not matter. Hot variants are used
	// all the time, hence the minute.
	recordUsedSQL = `
UPDATE variants v SET used_at = used.at, used_hour = floor(extract(epoch FROM used.at) / 3600)
FROM (
    SELECT v.ref, v.name, u.at FROM unnest($1::bytea[], $2::text[], $3::timestamptz[]) AS u (ref, name, at)
    JOIN variants v ON v.ref = u.ref AND v.name = u.name AND v.used_at < u.at - interval '1 minute'
    FOR UPDATE OF v SKIP LOCKED
) AS used
WHERE v.ref = used.ref AND v.name = used.name`
)

// Record implements variant.Store.
func (s *VariantStore) Record(ctx context.Context, made []variant.Entry, used []variant.Use) error {
	if len(made)+len(used) == 0 {
		return nil
	}
	return s.send(ctx, "record variants", func(batch *pgx.Batch) {
		if len(made) > 0 {
			batch.Queue(recordMadeSQL, entryColumns(made)...)
		}
		if len(used) > 0 {
			refs, names, times := make([][]byte, len(used)), make([]string, len(used)), make([]time.Time, len(used))
			for i, u := range used {
				refs[i], names[i], times[i] = u.Ref[:], u.Name, u.At
			}
			batch.Queue(recordUsedSQL, refs, names, times)
		}
	})
}

// Adopt implements variant.Store.
func (s *VariantStore) Adopt(ctx context.Context, found []variant.Entry) (int, error) {
	adopted := int64(0)
	err := s.send(ctx, "adopt variants", func(batch *pgx.Batch) {
		batch.Queue(adoptSQL, entryColumns(found)...).Exec(func(tag pgconn.CommandTag) error {
			adopted = tag.RowsAffected()
			return nil
		})
	})
	return int(adopted), err
}

// entryColumns are three arrays for unnest. One statement must not meet the same row twice, so the last one counts.
func entryColumns(entries []variant.Entry) []any {
	type key struct {
		ref  blob.Ref
		name string
	}
	at := make(map[key]int, len(entries))
	var refs [][]byte
	var names []string
	var sizes []int64
	for i := range entries {
		e := &entries[i]
		k := key{e.Ref, e.Name}
		if n, ok := at[k]; ok {
			sizes[n] = e.Size
			continue
		}
		at[k] = len(refs)
		refs, names, sizes = append(refs, e.Ref[:]), append(names, e.Name), append(sizes, e.Size)
	}
	return []any{refs, names, sizes}
}

// TotalBytes implements variant.Store. It reads the whole table, which is asked for once a minute at most.
func (s *VariantStore) TotalBytes(ctx context.Context) (int64, error) {
	var total int64
	err := s.db.pool.QueryRow(ctx, `SELECT coalesce(sum(size), 0)::bigint FROM variants`).Scan(&total)
	return total, translate(err, "size of all variants", nil)
}

// Where two evict at the same time each takes rows that the other did not lock. The hour comes first because it is what
// the index knows.
const evictSQL = `
WITH old AS (
    SELECT ref, name, size, used_hour, used_at FROM variants
    WHERE size > 0 AND used_at <= now() - $2::interval AND claimed_until <= now()
    ORDER BY used_hour, used_at LIMIT $3 FOR UPDATE SKIP LOCKED
), summed AS (
    SELECT ref, name, sum(size) OVER (ORDER BY used_hour, used_at, ref, name) - size AS before FROM old
)
DELETE FROM variants v USING summed s WHERE v.ref = s.ref AND v.name = s.name AND s.before < $1
RETURNING v.ref, v.name, v.size`

// Evict implements variant.Store.
func (s *VariantStore) Evict(ctx context.Context, size int64, idle time.Duration, limit int) (evicted []variant.Entry, err error) {
	err = s.send(ctx, "evict variants", func(batch *pgx.Batch) {
		batch.Queue(evictSQL, size, idle, limit).Query(func(rows pgx.Rows) (err error) {
			evicted, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (variant.Entry, error) {
				var ref []byte
				var e variant.Entry
				err := row.Scan(&ref, &e.Name, &e.Size)
				copy(e.Ref[:], ref)
				return e, err
			})
			return err
		})
	})
	return evicted, err
}

// A row whose claim has just run out may be claimed once more, so it stays for a while.
const sweepVariantsSQL = `
DELETE FROM variants v USING (
    SELECT ref, name FROM variants
    WHERE size = 0 AND claimed_until <= now() - interval '1 minute' AND failed_until <= now()
    FOR UPDATE SKIP LOCKED
) AS over
WHERE v.ref = over.ref AND v.name = over.name`

// Sweep implements variant.Store.
func (s *VariantStore) Sweep(ctx context.Context) (int, error) {
	swept := int64(0)
	err := s.send(ctx, "sweep variants", func(batch *pgx.Batch) {
		batch.Queue(sweepVariantsSQL).Exec(func(tag pgconn.CommandTag) error {
			swept = tag.RowsAffected()
			return nil
		})
	})
	return int(swept), err
}

// savedFailure is an apperr.Error as it is kept.
type savedFailure struct {
	Kind    string `json:"kind"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Field   string `json:"field,omitempty"`
}

// lastingKinds are the kinds of failures that another try does not change.
func lastingKinds() []apperr.Kind {
	return []apperr.Kind{apperr.Unprocessable, apperr.Unsupported, apperr.Invalid}
}

func writeFailure(e *apperr.Error) (string, error) {
	for _, kind := range lastingKinds() {
		if e.Kind == kind {
			text, err := json.Marshal(savedFailure{Kind: kind.String(), Code: e.Code, Message: e.Message, Field: e.Field})
			return string(text), err
		}
	}
	return "", fmt.Errorf("remember a failure: it may pass: %w", e)
}

// readFailure is nil for what cannot be read, as from a newer version: then it is tried again.
func readFailure(text []byte) *apperr.Error {
	var saved savedFailure
	if json.Unmarshal(text, &saved) == nil {
		for _, kind := range lastingKinds() {
			if saved.Kind == kind.String() {
				return apperr.New(kind, saved.Code, saved.Message).At(saved.Field)
			}
		}
	}
	return nil
}
