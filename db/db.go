// Package db holds Kadr's schema: the migrations, embedded in the binary, and the code that brings a database up to
// them. It exists apart from the queries so that `kadr migrate`, the server's start and the tests run the very same
// steps, and so that several replicas may start at once against one empty database.
package db

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// MinServerMajor is the oldest major version of PostgreSQL that Kadr runs on.
const MinServerMajor = 15

// Errors that an operator can act on; the errors returned wrap them in a sentence with the versions.
var (
	// ErrServerTooOld says that the PostgreSQL server is older than [MinServerMajor].
	ErrServerTooOld = errors.New("PostgreSQL is too old")
	// ErrSchemaTooNew says that a newer Kadr already migrated the database, as after a rollback of the binary.
	ErrSchemaTooNew = errors.New("the database schema is newer than this kadr")
)

// lockWait is how many seconds a replica waits for another one's migration. Goose tries the lock once a second instead
// of queueing for it, because a queued waiter holds a snapshot that CREATE INDEX CONCURRENTLY would wait for in turn.
const lockWait = 15 * 60

//go:embed migrations/*.sql
var files embed.FS

// Migration is one numbered step of the schema.
type Migration struct {
	Version   int64
	Name      string    // file name, such as 00001_initial.sql
	AppliedAt time.Time // zero while pending
}

// Status is what a database has of the schema that this binary knows.
type Status struct {
	Current    int64       // highest version applied to the database, 0 when none is
	Latest     int64       // highest version that this binary knows
	Migrations []Migration // those that this binary knows, oldest first
}

// Pending returns the migrations still to be applied, oldest first.
func (s Status) Pending() []Migration {
	var pending []Migration
	for _, m := range s.Migrations {
		if m.AppliedAt.IsZero() {
			pending = append(pending, m)
		}
	}
	return pending
}

// Migrations returns the migration files, at the root of the returned file system.
func Migrations() fs.FS {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the name is a constant, and valid
	}
	return sub
}

// Migrate brings the database at databaseURL up to the newest migration of this binary, each in a transaction of its
// own unless its file says otherwise. It is safe to call from any number of processes at once: a session lock lets
// one work while the others wait, up to 15 minutes, and then find nothing left to do. It opens its own connections,
// so that a pool's statement timeouts don't end a long migration. It changes nothing and returns [ErrServerTooOld]
// or [ErrSchemaTooNew] where those apply.
func Migrate(ctx context.Context, databaseURL string, log *slog.Logger) error {
	return withProvider(ctx, databaseURL, "", func(conn *sql.DB, provider *goose.Provider) error {
		before, err := readStatus(ctx, conn, provider)
		if err != nil {
			return err
		}
		if before.Current > before.Latest {
			return tooNew(before)
		}
		if len(before.Pending()) == 0 {
			return nil // without the lock: most starts are this one
		}
		results, err := provider.Up(ctx)
		if err != nil {
			return fmt.Errorf("migrate the database: %w", err)
		}
		for _, r := range results {
			log.InfoContext(ctx, "applied migration", "name", path.Base(r.Source.Path), "duration", r.Duration)
		}
		// A newer kadr may have gone first while this one waited for the lock.
		after, err := readStatus(ctx, conn, provider)
		if err != nil {
			return err
		}
		if after.Current > after.Latest {
			return tooNew(after)
		}
		return nil
	})
}

// ReadStatus tells which migrations the database at databaseURL has. It never writes and takes no lock. A database
// newer than the binary is no error here: Current is then above Latest.
func ReadStatus(ctx context.Context, databaseURL string) (Status, error) {
	var status Status
	err := withProvider(ctx, databaseURL, "", func(conn *sql.DB, provider *goose.Provider) error {
		var err error
		status, err = readStatus(ctx, conn, provider)
		return err
	})
	return status, err
}

// MigrateSchema brings the schema (the namespace) of that name, which must exist, up to a version; 0 stands for the newest.
// It is for who prepares what is to take another's place: nothing outside of the schema is touched.
func MigrateSchema(ctx context.Context, databaseURL, schema string, version int64) error {
	return withProvider(ctx, databaseURL, schema, func(_ *sql.DB, provider *goose.Provider) error {
		var err error
		if version == 0 {
			_, err = provider.Up(ctx)
		} else {
			_, err = provider.UpTo(ctx, version)
		}
		if err != nil {
			return fmt.Errorf("migrate the schema %s: %w", schema, err)
		}
		return nil
	})
}

func withProvider(ctx context.Context, databaseURL, schema string, use func(*sql.DB, *goose.Provider) error) error {
	cfg, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return fmt.Errorf("the database URL is not valid: %w", err)
	}
	if schema != "" {
		cfg.RuntimeParams["search_path"] = pgx.Identifier{schema}.Sanitize()
	}
	conn := stdlib.OpenDB(*cfg)
	defer conn.Close()

	var version int
	if err := conn.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		return fmt.Errorf("reach the database: %w", err)
	}
	if err := checkServer(version); err != nil {
		return err
	}

	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, lockWait))
	if err != nil {
		return fmt.Errorf("migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, conn, Migrations(),
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return fmt.Errorf("read the embedded migrations: %w", err)
	}
	return use(conn, provider)
}

// checkServer takes PostgreSQL's server_version_num, such as 150018 for 15.18.
func checkServer(version int) error {
	if version/10000 >= MinServerMajor {
		return nil
	}
	return fmt.Errorf("%w: the server is version %d and kadr needs %d or newer", ErrServerTooOld, version/10000,
		MinServerMajor)
}

func tooNew(s Status) error {
	return fmt.Errorf("%w: the database is at version %d and this binary knows versions up to %d; "+
		"run the newer kadr again, or restore the backup made before it was installed", ErrSchemaTooNew, s.Current, s.Latest)
}

// readStatus reads goose's table itself, because goose's own status creates the table when it is missing.
func readStatus(ctx context.Context, conn *sql.DB, provider *goose.Provider) (Status, error) {
	applied, err := readApplied(ctx, conn)
	if err != nil {
		return Status{}, fmt.Errorf("read the schema's version: %w", err)
	}
	var status Status
	for version := range applied {
		status.Current = max(status.Current, version)
	}
	for _, source := range provider.ListSources() {
		status.Latest = source.Version // the sources come in ascending order
		status.Migrations = append(status.Migrations, Migration{
			Version: source.Version, Name: path.Base(source.Path), AppliedAt: applied[source.Version],
		})
	}
	return status, nil
}

func readApplied(ctx context.Context, conn *sql.DB) (map[int64]time.Time, error) {
	var exists bool
	err := conn.QueryRowContext(ctx, `SELECT to_regclass('goose_db_version') IS NOT NULL`).Scan(&exists)
	if err != nil || !exists {
		return nil, err
	}
	rows, err := conn.QueryContext(ctx, `SELECT version_id, tstamp FROM goose_db_version WHERE is_applied`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	applied := make(map[int64]time.Time)
	for rows.Next() {
		var version int64
		var at time.Time
		if err := rows.Scan(&version, &at); err != nil {
			return nil, err
		}
		applied[version] = at
	}
	return applied, rows.Err()
}
