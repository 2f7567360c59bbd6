package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/kadr-app/kadr/db"
	"github.com/kadr-app/kadr/internal/backup"
	"github.com/kadr-app/kadr/internal/blob"
)

const (
	// stagingSchema is where a backup is loaded, beside what is there; nothing else is ever in it.
	stagingSchema = "kadr_restore"
	// cameTable and listedTable are in there as well, and go before the rest takes its place.
	cameTable, listedTable = "restore_came", "restore_listed"

	gooseTable = "goose_db_version"
)

// ErrServing says that a server works on the database.
var ErrServing = errors.New("a server works on this database: stop it first")

// RestoreTarget loads a backup into a database; it implements backup.Target. While it is open no server works on the
// database, no blob is removed and no other restore runs.
type RestoreTarget struct {
	url   string
	conn  *pgx.Conn
	newer bool // what is there was migrated by a newer kadr
}

var _ backup.Target = (*RestoreTarget)(nil)

// OpenRestore opens the database at url, which need not have any tables, for a restore. Errors: ErrServing.
func OpenRestore(ctx context.Context, url string) (*RestoreTarget, error) {
	opened, err := Open(ctx, url, Options{MaxConns: 1, AppName: "kadr restore"})
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	conn, err := opened.dedicated(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range []int64{serverLock, removalLock} {
		var free bool
		err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, id).Scan(&free)
		if err == nil && !free {
			err = ErrServing
			if id == removalLock {
				err = errors.New("a backup of this database is at work: wait for its end")
			}
		}
		if err != nil {
			hangUp(ctx, conn)
			return nil, err
		}
	}
	return &RestoreTarget{url: url, conn: conn}, nil
}

// Close forgets what was loaded and did not take its place, and lets others work on the database again.
func (r *RestoreTarget) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
	defer cancel()
	_, _ = r.conn.Exec(ctx, `DROP SCHEMA IF EXISTS `+stagingSchema+` CASCADE`) // the next restore does it otherwise
	hangUp(ctx, r.conn)
}

// Contents implements backup.Target.
func (r *RestoreTarget) Contents(ctx context.Context) (backup.Contents, error) {
	status, err := db.ReadStatus(ctx, r.url)
	if err != nil {
		return backup.Contents{}, err
	}
	r.newer = status.Current > status.Latest
	c := backup.Contents{Schema: status.Current, Newer: r.newer}
	tables, err := tableColumns(ctx, r.conn, "")
	if err != nil {
		return backup.Contents{}, translate(err, "look at the database", nil)
	}
	for name := range tables {
		if name != gooseTable && !slices.Contains(dumpedTables, name) && !slices.Contains(leftOutTables, name) {
			c.Foreign = append(c.Foreign, name)
		}
	}
	slices.Sort(c.Foreign)
	for name, n := range map[string]*int64{"accounts": &c.Accounts, "images": &c.Images, "blobs": &c.Blobs} {
		if tables[name] == nil {
			continue
		}
		if err := r.conn.QueryRow(ctx, `SELECT count(*) FROM `+name).Scan(n); err != nil {
			return backup.Contents{}, translate(err, "look at the database", nil)
		}
	}
	return c, nil
}

// Prepare implements backup.Target.
func (r *RestoreTarget) Prepare(ctx context.Context, schema int64) ([]backup.Table, error) {
	_, err := r.conn.Exec(ctx, `DROP SCHEMA IF EXISTS `+stagingSchema+` CASCADE; CREATE SCHEMA `+stagingSchema)
	if err != nil {
		return nil, translate(err, "prepare the restore", nil)
	}
	if err := db.MigrateSchema(ctx, r.url, stagingSchema, schema); err != nil {
		return nil, err
	}
	found, err := tableColumns(ctx, r.conn, stagingSchema)
	if err != nil {
		return nil, translate(err, "prepare the restore", nil)
	}
	var tables []backup.Table
	for name, columns := range found {
		if name != gooseTable && !slices.Contains(leftOutTables, name) {
			tables = append(tables, backup.Table{Name: name, Columns: columns})
		}
	}
	_, err = r.conn.Exec(ctx, `SET search_path = `+stagingSchema+`;
		CREATE UNLOGGED TABLE `+cameTable+` (ref bytea PRIMARY KEY);
		CREATE UNLOGGED TABLE `+listedTable+` (ref bytea PRIMARY KEY, size bigint NOT NULL)`)
	return tables, translate(err, "prepare the restore", nil)
}

// Load implements backup.Target.
func (r *RestoreTarget) Load(ctx context.Context, t backup.Table, from io.Reader) (int64, error) {
	columns := make([]string, len(t.Columns))
	for i, name := range t.Columns {
		columns[i] = pgx.Identifier{name}.Sanitize()
	}
	sql := fmt.Sprintf(`COPY %s (%s) FROM STDIN`, pgx.Identifier{stagingSchema, t.Name}.Sanitize(), strings.Join(columns, ", "))
	tag, err := r.conn.PgConn().CopyFrom(ctx, from, sql)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code[:2] == "22" || pg.Code[:2] == "23") { // values and constraints
		return 0, fmt.Errorf("%w (%w)", backup.Refuse("the rows of the table %s cannot be loaded: they are damaged or not Kadr's", t.Name), err)
	}
	return tag.RowsAffected(), translate(err, "load "+t.Name, nil)
}

// Came implements backup.Target.
func (r *RestoreTarget) Came(ctx context.Context, blobs []backup.Blob) error {
	refs := make([]blob.Ref, len(blobs))
	for i, b := range blobs {
		refs[i] = b.Ref
	}
	_, err := r.conn.Exec(ctx, `INSERT INTO `+cameTable+` SELECT unnest($1::bytea[]) ON CONFLICT DO NOTHING`, refBytes(refs))
	return translate(err, "note what came", nil)
}

// List implements backup.Target.
func (r *RestoreTarget) List(ctx context.Context, blobs []backup.Blob) error {
	refs, sizes := make([][]byte, len(blobs)), make([]int64, len(blobs))
	for i := range blobs {
		refs[i], sizes[i] = blobs[i].Ref[:], blobs[i].Size
	}
	_, err := r.conn.Exec(ctx, `INSERT INTO `+listedTable+` SELECT * FROM unnest($1::bytea[], $2::bigint[])`, refs, sizes)
	return translate(err, "note what is listed", nil)
}

const (
	listedSQL  = `SELECT count(*), coalesce(sum(size), 0)::bigint FROM ` + listedTable
	missingSQL = `SELECT count(*) FROM blobs b WHERE NOT EXISTS (SELECT FROM ` + listedTable + ` l WHERE l.ref = b.ref)`
	absentSQL  = `SELECT ref FROM ` + listedTable + ` l WHERE NOT EXISTS (SELECT FROM ` + cameTable + ` c WHERE c.ref = l.ref) ORDER BY ref LIMIT 20`

	// What came is sound, whatever was known of the file before.
	markSoundOnesSQL = `UPDATE blobs b SET lost_at = NULL FROM ` + listedTable + ` l WHERE l.ref = b.ref AND b.lost_at IS NOT NULL`
	markLostOnesSQL  = `UPDATE blobs b SET lost_at = now()
		WHERE b.lost_at IS NULL AND NOT EXISTS (SELECT FROM ` + listedTable + ` l WHERE l.ref = b.ref)`
)

// Check implements backup.Target.
func (r *RestoreTarget) Check(ctx context.Context) (backup.Loaded, error) {
	var found backup.Loaded
	err := r.conn.QueryRow(ctx, listedSQL).Scan(&found.Listed, &found.ListedBytes)
	if err == nil {
		err = r.conn.QueryRow(ctx, missingSQL).Scan(&found.Missing)
	}
	if err == nil {
		var rows pgx.Rows
		if rows, err = r.conn.Query(ctx, absentSQL); err == nil {
			found.Absent, err = pgx.CollectRows(rows, scanRef)
		}
	}
	return found, translate(err, "check what came", nil)
}

// Upgrade implements backup.Target.
func (r *RestoreTarget) Upgrade(ctx context.Context, owner string) (id string, err error) {
	for _, sql := range []string{markSoundOnesSQL, markLostOnesSQL, `DROP TABLE ` + cameTable + `, ` + listedTable} {
		if _, err := r.conn.Exec(ctx, sql); err != nil {
			return "", translate(err, "finish the tables", nil)
		}
	}
	if err := db.MigrateSchema(ctx, r.url, stagingSchema, 0); err != nil {
		return "", err
	}
	err = r.conn.QueryRow(ctx, `UPDATE instance SET id = coalesce(nullif($1, ''), id) RETURNING id`, owner).Scan(&id)
	return id, translate(err, "finish the tables", nil)
}

const (
	// What belongs to an extension is left alone.
	tablesToDropSQL = `
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`

	functionsSQL = `
SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = $1 AND ($2 OR p.proname IN (
    SELECT s.proname FROM pg_proc s JOIN pg_namespace sn ON sn.oid = s.pronamespace WHERE sn.nspname = $3))
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')`
)

// Replace implements backup.Target. The tables move from one schema to the other with all that hangs on them, in one
// transaction: whoever looks sees the old instance or the new one.
func (r *RestoreTarget) Replace(ctx context.Context) error {
	err := r.replace(ctx)
	return translate(err, "replace the instance", nil)
}

func (r *RestoreTarget) replace(ctx context.Context) error {
	if _, err := r.conn.Exec(ctx, `RESET search_path`); err != nil {
		return err
	}
	tx, err := r.conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_ = tx.Rollback(ctx) // after a commit it does nothing
	}()
	var home string
	if err := tx.QueryRow(ctx, `SELECT current_schema()`).Scan(&home); err != nil {
		return err
	}
	// A lock that somebody else has, in a psql perhaps, should be told and not waited for.
	if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '30s'`); err != nil {
		return err
	}
	for _, schema := range []string{home, stagingSchema} {
		tables, err := texts(ctx, tx, tablesToDropSQL, schema)
		if err != nil {
			return err
		}
		// Tables first: their triggers hang on the functions.
		for _, table := range tables {
			if schema == home {
				_, err = tx.Exec(ctx, `DROP TABLE `+pgx.Identifier{home, table}.Sanitize()+` CASCADE`)
			} else {
				_, err = tx.Exec(ctx, `ALTER TABLE `+pgx.Identifier{schema, table}.Sanitize()+` SET SCHEMA `+pgx.Identifier{home}.Sanitize())
			}
			if err != nil {
				return err
			}
		}
		if err := r.moveFunctions(ctx, tx, schema, home); err != nil {
			return err
		}
	}
	// It fails, and all of it is undone, when anything is left in there.
	if _, err := tx.Exec(ctx, `DROP SCHEMA `+stagingSchema); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	_, err = r.conn.Exec(ctx, `ANALYZE `+strings.Join(dumpedTables, ", "))
	return err
}

// moveFunctions drops those functions of the home schema that the other one has too (all, where a newer kadr may have made
// some that nobody here knows), or moves those of the other one there.
func (r *RestoreTarget) moveFunctions(ctx context.Context, tx pgx.Tx, schema, home string) error {
	sql := `DROP FUNCTION %s CASCADE`
	if schema != home {
		sql = `ALTER FUNCTION %s SET SCHEMA ` + pgx.Identifier{home}.Sanitize()
	}
	functions, err := texts(ctx, tx, functionsSQL, schema, schema != home || r.newer, stagingSchema)
	if err != nil {
		return err
	}
	for _, f := range functions {
		if _, err := tx.Exec(ctx, fmt.Sprintf(sql, f)); err != nil {
			return err
		}
	}
	return nil
}

func texts(ctx context.Context, q querier, sql string, args ...any) ([]string, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Known implements backup.Target.
func (r *RestoreTarget) Known(ctx context.Context, refs []blob.Ref) (map[blob.Ref]bool, error) {
	return knownBlobs(ctx, r.conn, refs)
}
