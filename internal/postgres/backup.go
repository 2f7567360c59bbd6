package postgres

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/kadr-app/kadr/internal/backup"
	"github.com/kadr-app/kadr/internal/blob"
)

// BackupStore shows the whole database as it is at one moment; it implements backup.Store. It is for one backup at a time.
type BackupStore struct {
	db    *DB
	guard *pgx.Conn // holds removals off, from Snapshot to Release
	pause *pause    // on guard's connection
}

var _ backup.Store = (*BackupStore)(nil)

// NewBackupStore returns a BackupStore over db.
func NewBackupStore(db *DB) *BackupStore { return &BackupStore{db: db} }

// dumpedTables are the tables that a backup has, those before that others refer to. A test compares them, and those left
// out, with the schema.
var dumpedTables = []string{
	"accounts", "account_usage", "sessions", "api_keys", "invites", "signing_keys", "blobs", "images", "deleted_images",
}

// leftOutTables are those that it has not: the database's own id, which every database has another of; what is made again
// when it is needed (variants); and what is over in minutes or a day.
var leftOutTables = []string{"instance", "variants", "rate_limits", "idempotency_keys"}

// dumpedAs are the tables of which not everything is dumped as it is: of blobs those that pictures refer to, without the
// uploads that are under way.
var dumpedAs = map[string]struct {
	columns map[string]string
	where   string
}{
	"blobs": {
		columns: map[string]string{"uploads": "0", "reserved_until": "'-infinity'::timestamptz"},
		where:   ` t WHERE EXISTS (SELECT FROM images i WHERE i.ref = t.ref)`,
	},
}

const pageOfNeededBlobsSQL = `
SELECT ref, size FROM blobs b WHERE ref > $1 AND EXISTS (SELECT FROM images i WHERE i.ref = b.ref) ORDER BY ref LIMIT %d`

// Blobs implements backup.Store.
func (s *BackupStore) Blobs(ctx context.Context, after *blob.Ref, limit int) ([]backup.Blob, error) {
	return neededBlobs(ctx, s.db.pool, after, limit)
}

func neededBlobs(ctx context.Context, q querier, after *blob.Ref, limit int) ([]backup.Blob, error) {
	from := []byte{}
	if after != nil {
		from = after[:]
	}
	rows, err := q.Query(ctx, fmt.Sprintf(pageOfNeededBlobsSQL, limit), from)
	if err != nil {
		return nil, translate(err, "page of blobs", nil)
	}
	page, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (b backup.Blob, err error) {
		var ref []byte
		err = row.Scan(&ref, &b.Size)
		copy(b.Ref[:], ref)
		return b, err
	})
	return page, translate(err, "page of blobs", nil)
}

// Snapshot implements backup.Store.
func (s *BackupStore) Snapshot(ctx context.Context, hold time.Duration, fn func(backup.Snapshot) error) error {
	err := s.snapshot(ctx, hold, fn)
	if err != nil {
		s.Release()
	}
	return err
}

// Release implements backup.Store.
func (s *BackupStore) Release() {
	if s.pause != nil {
		s.pause.end()
		s.pause = nil
	}
	if s.guard != nil {
		hangUp(context.Background(), s.guard)
		s.guard = nil
	}
}

// Leave is Release by the end of this process, which should follow at once. The server is kept busy for a moment, and so
// notices that end only after those have who wait for it: nobody sees something acknowledged before the end of a backup
// that is not in it.
func (s *BackupStore) Leave() {
	if s.pause == nil {
		return
	}
	s.pause.mu.Lock()
	defer s.pause.mu.Unlock()
	if s.pause.tx == nil {
		return
	}
	s.pause.timer.Stop()
	s.pause.tx = nil // this process asks nothing more of it
	server := s.guard.PgConn().Frontend()
	server.Send(&pgproto3.Query{String: `SELECT pg_sleep(0.1)`})
	_ = server.Flush() // where it fails the connection is gone, and with it what it held
}

func (s *BackupStore) snapshot(ctx context.Context, hold time.Duration, fn func(backup.Snapshot) error) (err error) {
	s.Release() // of the last backup
	if s.guard, err = s.db.dedicated(ctx); err != nil {
		return translate(err, "snapshot", nil)
	}
	// It waits for the removals that are at work; those that come find it taken, and leave the blob to a sweep.
	if _, err := s.guard.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(removalLock)); err != nil {
		return translate(err, "hold removals off", nil)
	}
	if s.pause, err = pauseWrites(ctx, s.guard, hold); err != nil {
		return translate(err, "pause writes", nil)
	}

	reader, err := s.db.dedicated(ctx)
	if err != nil {
		return translate(err, "snapshot", nil)
	}
	defer hangUp(ctx, reader)
	tx, err := reader.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return translate(err, "snapshot", nil)
	}
	snap := &snapshot{tx: tx, pause: s.pause}
	if err := tx.QueryRow(ctx, schemaVersionSQL).Scan(&snap.schema); err != nil {
		return translate(err, "snapshot", nil)
	}
	return fn(snap)
}

const schemaVersionSQL = `SELECT max(version_id) FROM goose_db_version WHERE is_applied`

// snapshot implements backup.Snapshot.
type snapshot struct {
	tx     pgx.Tx
	pause  *pause
	schema int64
}

func (s *snapshot) Schema() int64 { return s.schema }

func (s *snapshot) Until(ctx context.Context) time.Time { return s.pause.now(ctx) }

func (s *snapshot) Blobs(ctx context.Context, after *blob.Ref, limit int) ([]backup.Blob, error) {
	return neededBlobs(ctx, s.tx, after, limit)
}

func (s *snapshot) Tables(ctx context.Context) ([]backup.Table, error) {
	found, err := tableColumns(ctx, s.tx, "")
	if err != nil {
		return nil, translate(err, "tables", nil)
	}
	tables := make([]backup.Table, len(dumpedTables))
	for i, name := range dumpedTables {
		if tables[i] = (backup.Table{Name: name, Columns: found[name]}); len(found[name]) == 0 {
			return nil, fmt.Errorf("tables: the database has no table %s", name)
		}
	}
	return tables, nil
}

func (s *snapshot) Dump(ctx context.Context, t backup.Table, w io.Writer) (int64, error) {
	special := dumpedAs[t.Name]
	columns := make([]string, len(t.Columns))
	for i, name := range t.Columns {
		columns[i] = pgx.Identifier{name}.Sanitize()
		if instead := special.columns[name]; instead != "" {
			columns[i] = instead
		}
	}
	sql := fmt.Sprintf(`COPY (SELECT %s FROM %s%s) TO STDOUT`, strings.Join(columns, ", "),
		pgx.Identifier{t.Name}.Sanitize(), special.where)
	tag, err := s.tx.Conn().PgConn().CopyTo(ctx, w, sql)
	return tag.RowsAffected(), translate(err, "dump "+t.Name, nil)
}

// What PostgreSQL computes by itself cannot be loaded.
const tableColumnsSQL = `
SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE n.nspname = coalesce(nullif($1, ''), current_schema()) AND c.relkind IN ('r', 'p')
  AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
GROUP BY c.relname`

// tableColumns returns the tables of a schema, of the current one when it has no name, with their columns.
func tableColumns(ctx context.Context, q querier, schema string) (map[string][]string, error) {
	rows, err := q.Query(ctx, tableColumnsSQL, schema)
	if err != nil {
		return nil, err
	}
	tables := map[string][]string{}
	var name string
	var columns []string
	_, err = pgx.ForEachRow(rows, []any{&name, &columns}, func() error {
		tables[name] = slices.Clone(columns)
		return nil
	})
	return tables, err
}

// pauseTables are the locks that keep everybody from writing to what is dumped, and nobody from reading. Their order is
// that in which uploads, deletions and changes of accounts meet the tables, so that we wait for them and not they for us
// while we wait for them. Deletions touch account_usage last but read it first, FOR UPDATE, hence the stronger lock on it.
var pauseTables = []string{
	`LOCK TABLE accounts IN SHARE MODE`,
	`LOCK TABLE account_usage IN EXCLUSIVE MODE`,
	`LOCK TABLE blobs, images, deleted_images, sessions, api_keys, invites, signing_keys IN SHARE MODE`,
}

const (
	// pauseWait is how long one of the locks may take; everybody who wants to write waits with us. It is longer than what
	// PostgreSQL needs to find a deadlock, or to send a vacuum away.
	pauseWait = `SET LOCAL lock_timeout = '2s'`
	// pauseTries is how often they are asked for.
	pauseTries = 3
)

// pause keeps writes waiting for a while.
type pause struct {
	mu    sync.Mutex
	conn  *pgx.Conn
	tx    pgx.Tx // nil once nobody waits any more
	until time.Time
	timer *time.Timer
}

// pauseWrites makes writes wait until end is called, or for as long as limit. It makes nobody wait where limit is 0, or
// where the locks are not to be had because somebody has been writing for seconds.
func pauseWrites(ctx context.Context, conn *pgx.Conn, limit time.Duration) (*pause, error) {
	p := &pause{conn: conn}
	if err := conn.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&p.until); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for try := 0; limit > 0 && p.tx == nil && try < pauseTries; try++ {
		if err := p.lock(ctx, limit); err != nil {
			return nil, err
		}
	}
	if p.tx != nil {
		p.timer = time.AfterFunc(limit, p.end)
	}
	return p, nil
}

// lock takes the locks, or leaves tx nil when they are not to be had just now.
func (p *pause) lock(ctx context.Context, limit time.Duration) error {
	tx, err := p.conn.Begin(ctx)
	if err != nil {
		return err
	}
	// A process that was stopped, or is swapped out, would not let go in time.
	sql := []string{pauseWait, `SET LOCAL idle_in_transaction_session_timeout = ` + milliseconds(limit+5*time.Second)}
	for _, sql := range append(sql, pauseTables...) {
		if _, err := tx.Exec(ctx, sql); err != nil {
			if isTransient(err) || isLockTimeout(err) {
				return tx.Rollback(ctx)
			}
			return err
		}
	}
	p.tx = tx
	return nil
}

// now returns the time before which everything that was committed is in a snapshot that was taken after pauseWrites: the
// present, by the database's clock, while writes wait.
func (p *pause) now(ctx context.Context) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.look(ctx)
	return p.until
}

func (p *pause) look(ctx context.Context) {
	var at time.Time
	// When the connection is lost so are the locks, nobody knows when: then the time before counts.
	if p.tx != nil && p.tx.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&at) == nil {
		p.until = at
	}
}

// end lets everybody write again. It may be called again.
func (p *pause) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tx == nil {
		return
	}
	p.timer.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
	defer cancel()
	p.look(ctx)
	_ = p.tx.Rollback(ctx) // when it fails the connection is gone, and the locks with it
	p.tx = nil
}
