package testdb

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/kadr-app/kadr/db"
)

const (
	templatePrefix = "kadr_template_"
	testPrefix     = "kadr_test_"
	// staleAfter is the age at which a test's database is taken for one that a killed test process left behind.
	staleAfter = 6 * time.Hour
	// adminConns is how many databases one process creates or drops at a time: more only wait for each other's locks.
	adminConns = 4
)

// cloner creates and drops databases on one server.
type cloner struct {
	server *url.URL
	admin  *pgxpool.Pool
	// own is the server when this process started it. Unreferenced, it would be collected, and with it the pipe that
	// its janitor watches.
	own *Server
	// template makes the template on first use, and returns its name: NewEmpty alone must work when migrations fail.
	template func() (string, error)
}

func newCloner(ctx context.Context, serverURL string) (*cloner, error) {
	server, err := parseServerURL(serverURL)
	if err != nil {
		return nil, err
	}
	cfg, err := pgxpool.ParseConfig(serverURL)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", EnvURL, err)
	}
	cfg.MaxConns = adminConns
	admin, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := admin.Ping(ctx); err != nil {
		admin.Close()
		return nil, fmt.Errorf("reach the test server: %w", err)
	}
	c := &cloner{server: server, admin: admin}
	c.template = sync.OnceValues(func() (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		return c.makeTemplate(ctx)
	})
	return c, nil
}

// makeTemplate migrates a database that is named after the migrations, unless it is there. An advisory lock lets one
// of many test processes do so while the others wait.
func (c *cloner) makeTemplate(ctx context.Context) (string, error) {
	name, err := templateName(db.Migrations())
	if err != nil {
		return "", err
	}
	conn, err := pgx.Connect(ctx, c.server.String())
	if err != nil {
		return "", err
	}
	// A session's lock goes with its connection.
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, lockID(templatePrefix)); err != nil {
		return "", err
	}
	if err := c.dropStale(ctx, conn, time.Now()); err != nil {
		return "", err
	}

	// Only a finished template is marked as one; what a killed process left is made anew.
	var finished bool
	err = conn.QueryRow(ctx, `SELECT datistemplate FROM pg_database WHERE datname = $1`, name).Scan(&finished)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", err
	}
	if finished {
		return name, nil
	}
	if err := c.drop(ctx, name); err != nil {
		return "", err
	}
	if err := c.create(ctx, name, "template0"); err != nil {
		return "", err
	}
	if err := db.Migrate(ctx, withDatabase(c.server, name), slog.New(slog.DiscardHandler)); err != nil {
		return "", err
	}
	// Closed to connections, for a copy fails while anybody is connected to what it copies.
	_, err = conn.Exec(ctx, "ALTER DATABASE "+quote(name)+" WITH IS_TEMPLATE true ALLOW_CONNECTIONS false")
	return name, err
}

// dropStale removes databases that killed test processes left on a server that outlives them.
func (c *cloner) dropStale(ctx context.Context, conn *pgx.Conn, now time.Time) error {
	rows, err := conn.Query(ctx, `SELECT datname FROM pg_database WHERE starts_with(datname, $1)`, testPrefix)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		if stale(name, now) {
			if err := c.drop(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// migrated creates a copy of the template.
func (c *cloner) migrated(ctx context.Context) (string, error) {
	template, err := c.template()
	if err != nil {
		return "", err
	}
	name := testName(time.Now())
	return name, c.create(ctx, name, template)
}

// empty creates a database with nothing in it.
func (c *cloner) empty(ctx context.Context) (string, error) {
	name := testName(time.Now())
	return name, c.create(ctx, name, "template0")
}

func (c *cloner) create(ctx context.Context, name, template string) error {
	// FILE_COPY, for with fsync off the checkpoint that it makes costs nearly nothing: 15 ms where WAL_LOG takes 27.
	_, err := c.admin.Exec(ctx, "CREATE DATABASE "+quote(name)+" TEMPLATE "+quote(template)+" STRATEGY file_copy")
	if err != nil {
		return fmt.Errorf("create a database from %s: %w", template, err)
	}
	return nil
}

// drop removes a database, closing what connections it has.
func (c *cloner) drop(ctx context.Context, name string) error {
	if _, err := c.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+quote(name)+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop a database: %w", err)
	}
	return nil
}

// templateName is a hash of the migrations' names and contents.
func templateName(migrations fs.FS) (string, error) {
	names, err := fs.Glob(migrations, "*.sql")
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	for _, name := range names {
		text, err := fs.ReadFile(migrations, name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(hash, "%s %d\n%s", name, len(text), text)
	}
	return templatePrefix + hex.EncodeToString(hash.Sum(nil)[:8]), nil
}

// testName is kadr_test_<Unix seconds>_<random>: the time tells what is stale.
func testName(now time.Time) string {
	return fmt.Sprintf("%s%d_%s", testPrefix, now.Unix(), strings.ToLower(rand.Text()[:12]))
}

func stale(name string, now time.Time) bool {
	seconds, _, _ := strings.Cut(strings.TrimPrefix(name, testPrefix), "_")
	created, err := strconv.ParseInt(seconds, 10, 64)
	return err == nil && now.Sub(time.Unix(created, 0)) > staleAfter
}

func lockID(name string) int64 {
	hash := fnv.New64a()
	hash.Write([]byte(name))
	return int64(hash.Sum64())
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
