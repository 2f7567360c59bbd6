package db_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/kadr-app/kadr/db"
	"github.com/kadr-app/kadr/internal/testdb"
)

func TestMigrateManyAtOnce(t *testing.T) {
	t.Parallel()
	d := testdb.NewEmpty(t)
	log := slog.New(slog.DiscardHandler)
	var group errgroup.Group
	for range 8 {
		group.Go(func() error { return db.Migrate(t.Context(), d.URL, log) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(db.Migrations(), "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	var rows, distinct int
	err = d.Pool.QueryRow(t.Context(),
		`SELECT count(*), count(DISTINCT version_id) FROM goose_db_version WHERE version_id > 0`).Scan(&rows, &distinct)
	if err != nil {
		t.Fatal(err)
	}
	if rows != len(names) || distinct != len(names) {
		t.Errorf("%d rows for %d versions, want each of %d migrations once", rows, distinct, len(names))
	}
	// A second start finds nothing to do.
	if err := db.Migrate(t.Context(), d.URL, log); err != nil {
		t.Error(err)
	}
}

func TestReadStatus(t *testing.T) {
	t.Parallel()
	d := testdb.NewEmpty(t)
	before, err := db.ReadStatus(t.Context(), d.URL)
	if err != nil {
		t.Fatal(err)
	}
	if before.Current != 0 || before.Latest < 1 || len(before.Pending()) != len(before.Migrations) {
		t.Errorf("of an empty database: %+v", before)
	}
	var tables int
	err = d.Pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`).Scan(&tables)
	if err != nil || tables != 0 {
		t.Errorf("reading the status made %d tables (%v)", tables, err)
	}
	if err := db.Migrate(t.Context(), d.URL, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	after, err := db.ReadStatus(t.Context(), d.URL)
	if err != nil {
		t.Fatal(err)
	}
	if after.Current != after.Latest || len(after.Pending()) != 0 || !strings.HasSuffix(after.Migrations[0].Name, ".sql") {
		t.Errorf("of a migrated database: %+v", after)
	}
}

func TestMigrateRefusesANewerSchema(t *testing.T) {
	t.Parallel()
	d := testdb.New(t)
	if _, err := d.Pool.Exec(t.Context(),
		`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`); err != nil {
		t.Fatal(err)
	}
	err := db.Migrate(t.Context(), d.URL, slog.New(slog.DiscardHandler))
	if !errors.Is(err, db.ErrSchemaTooNew) || !strings.Contains(err.Error(), "99999") {
		t.Errorf("got %v", err)
	}
	if status, err := db.ReadStatus(t.Context(), d.URL); err != nil || status.Current != 99999 {
		t.Errorf("status %+v, %v", status, err)
	}
}

func TestMigrateRefusesAnOldServer(t *testing.T) {
	t.Parallel()
	d := testdb.NewEmpty(t)
	// A function found before PostgreSQL's own makes the server say that it is version 14.
	if _, err := d.Pool.Exec(t.Context(), `
		CREATE FUNCTION public.current_setting(text) RETURNS text LANGUAGE sql AS $$SELECT '140011'$$;
		DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$`,
	); err != nil {
		t.Fatal(err)
	}
	err := db.Migrate(t.Context(), d.URL, slog.New(slog.DiscardHandler))
	if !errors.Is(err, db.ErrServerTooOld) || !strings.Contains(err.Error(), "14") {
		t.Errorf("got %v", err)
	}
}

func TestMigrateBadURL(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"postgres://localhost:port/x", "postgres:///x?host=/nonexistent"} {
		if err := db.Migrate(t.Context(), bad, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("Migrate(%q) took it", bad)
		}
	}
}
