// Package testdb gives each test a PostgreSQL database of its own, so that tests meet the real thing and still run in
// parallel. The database is a copy of a template that was migrated once, which costs a small part of migrating it.
//
// The server is the one that KADR_TEST_DATABASE_URL names, which `make test` sets by way of internal/testdb/run.
// Without it, as when one package is tested by hand or in an editor, each test process starts a throw-away server of
// its own. A machine with no PostgreSQL makes the tests fail; they never skip.
package testdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// EnvURL is the environment variable with the server to use: a postgres:// URL of any database on it, with the right to
// create databases.
const EnvURL = "KADR_TEST_DATABASE_URL"

const (
	// poolSize bounds the connections of one test, for many tests share the server's.
	poolSize = 8
	// cleanupTimeout bounds the wait for a test to give back its connections.
	cleanupTimeout = 10 * time.Second
)

// DB is a test's own database.
type DB struct {
	URL  string        // for what opens connections by itself
	Pool *pgxpool.Pool // at most 8 connections, opened when first used
}

// host is this process's way to the server. It is the one variable of the package: the tests of a process must share
// what takes a second to start, and with no TestMain asked of them there is nobody else to hold it.
var host = sync.OnceValues(func() (*cloner, error) { //nolint:gochecknoglobals // see above
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if serverURL := os.Getenv(EnvURL); serverURL != "" {
		return newCloner(ctx, serverURL)
	}
	server, err := StartServer(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	c, err := newCloner(ctx, server.URL())
	if err != nil {
		return nil, errors.Join(err, server.Close(ctx))
	}
	c.own = server // never closed: the server and its folder go when this process ends
	return c, nil
})

// New returns a database with the newest schema, empty but for what the migrations put there. It is dropped when the
// test ends; connections still in use then fail the test.
func New(t testing.TB) *DB {
	t.Helper()
	return open(t, (*cloner).migrated)
}

// NewEmpty returns a database without a schema, for tests of the migrations themselves.
func NewEmpty(t testing.TB) *DB {
	t.Helper()
	return open(t, (*cloner).empty)
}

func open(t testing.TB, create func(*cloner, context.Context) (string, error)) *DB {
	t.Helper()
	c, err := host()
	if err != nil {
		t.Fatalf("testdb: %v", err)
	}
	name, err := create(c, t.Context())
	if err != nil {
		t.Fatalf("testdb: %v", err)
	}
	databaseURL := withDatabase(c.server, name)
	cfg, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		t.Fatalf("testdb: %v", err)
	}
	cfg.MaxConns, cfg.MinConns = poolSize, 0
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		t.Fatalf("testdb: %v", err)
	}
	t.Cleanup(func() {
		closed := make(chan struct{})
		go func() { pool.Close(); close(closed) }()
		select {
		case <-closed:
		case <-time.After(cleanupTimeout):
			t.Errorf("testdb: connections were not given back to the pool within %v", cleanupTimeout)
		}
		ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
		defer cancel()
		if err := c.drop(ctx, name); err != nil {
			t.Errorf("testdb: %v", err)
		}
	})
	return &DB{URL: databaseURL, Pool: pool}
}

// withDatabase returns the server's URL with another database's name.
func withDatabase(server *url.URL, name string) string {
	u := *server
	u.Path, u.RawPath = "/"+name, ""
	return u.String()
}

// parseServerURL takes URLs only, not libpq's key=value form, because the database's name has to be replaced.
func parseServerURL(serverURL string) (*url.URL, error) {
	u, err := url.Parse(serverURL)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return nil, fmt.Errorf("%s must be a postgres:// URL", EnvURL)
	}
	return u, nil
}
