// Package postgres holds all of Kadr's SQL and implements the stores that the nouns ask for.
//
// It exists so that no other room knows pgx: a noun names what it needs in a narrow interface, one method of a store
// here is one atomic business write, and a transaction never leaves the package. What PostgreSQL refuses comes back as
// the noun's own *apperr.Error, found by SQLSTATE and constraint name and never by message text; anything else is
// internal and carries its cause for the log.
package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/trace"

	"github.com/kadr-app/kadr/internal/apperr"
)

const (
	connectTimeout   = 5 * time.Second  // for one connection, unless the URL says connect_timeout
	rollbackTimeout  = 5 * time.Second  // after which a rollback is left to the closing of the connection
	commitTimeout    = 30 * time.Second // a commit waits for the disk, and for nothing else
	statementTimeout = 30 * time.Second // far above any statement of a request; ends what went wrong
	idleTimeout      = time.Minute      // of an open transaction: a stuck process must not hold locks for ever
	maxTxAttempts    = 5
)

// Options are the settings of a pool; the zero value is good.
type Options struct {
	// MaxConns is how many connections there are at most; 0 stands for twice the cores, and at least 4. More than that
	// makes the slowest requests slower, since PostgreSQL has the same cores to share.
	MaxConns int
	// Log receives what goes wrong where nobody can be told; nowhere when nil.
	Log *slog.Logger
	// Tracer makes spans of statements; nil: there are none.
	Tracer trace.TracerProvider
	// AppName is the application_name that the server's own views show; "kadr" when empty.
	AppName string
}

// DB is a pool of connections; every store hangs off it. It is safe for concurrent use.
type DB struct {
	pool pool
	log  *slog.Logger
}

// Open makes a pool for the database at url (a PostgreSQL URL or keyword string) and proves it with one connection,
// within 5 seconds for each address in the URL. It does not migrate. An error names the host, never the password.
func Open(ctx context.Context, url string, opts Options) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("the database URL is not valid: %w", err)
	}
	cfg.MaxConns = int32(opts.MaxConns)
	if opts.MaxConns <= 0 {
		cfg.MaxConns = int32(max(4, 2*runtime.NumCPU()))
	}
	cfg.MaxConnLifetimeJitter = 5 * time.Minute // so that the connections don't all end at once
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	appName := opts.AppName
	if appName == "" {
		appName = "kadr"
	}
	for name, value := range map[string]string{
		"application_name":                    appName,
		"statement_timeout":                   milliseconds(statementTimeout),
		"idle_in_transaction_session_timeout": milliseconds(idleTimeout),
		"jit":                                 "off", // compiling costs more than any statement here gains
		"timezone":                            "UTC",
	} {
		if _, set := cfg.ConnConfig.RuntimeParams[name]; !set { // the URL wins
			cfg.ConnConfig.RuntimeParams[name] = value
		}
	}
	cfg.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		conn.TypeMap().RegisterType(&pgtype.Type{
			Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
		})
		return nil
	}
	cfg.PingTimeout = pingTimeoutOfPool
	if opts.Tracer != nil {
		cfg.ConnConfig.Tracer = newTracer(opts.Tracer)
	}
	connections, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if err := connections.Ping(ctx); err != nil {
		connections.Close()
		return nil, fmt.Errorf("reach the database: %w", err)
	}
	return &DB{pool: pool{connections}, log: cmp.Or(opts.Log, slog.New(slog.DiscardHandler))}, nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// Close ends every connection, after the queries at work are done.
func (db *DB) Close() { db.pool.Close() }

// The table makes it a real query: it fails where the server answers but the schema is not there.
const pingSQL = `SELECT count(*) FROM (SELECT FROM accounts LIMIT 1) AS a`

// Ping reports whether the database answers a query on Kadr's schema.
func (db *DB) Ping(ctx context.Context) error {
	var n int
	if err := db.pool.QueryRow(ctx, pingSQL).Scan(&n); err != nil {
		return fmt.Errorf("ping the database: %w", err)
	}
	return nil
}

const instanceSQL = `SELECT id, EXISTS (SELECT FROM blobs) FROM instance`

// Instance returns the database's own id, and whether it knows any blob.
func (db *DB) Instance(ctx context.Context) (id string, hasBlobs bool, err error) {
	if err := db.pool.QueryRow(ctx, instanceSQL).Scan(&id, &hasBlobs); err != nil {
		return "", false, fmt.Errorf("read the database's id: %w", err)
	}
	return id, hasBlobs, nil
}

// withTx runs fn in one transaction at READ COMMITTED and commits when fn returns nil. What fn returns comes back as
// it is, so fn translates its own errors. When PostgreSQL gives up on a transaction (serialization failure, deadlock)
// fn runs again, up to five times in all: it must keep nothing from a run before and do nothing but SQL.
func (db *DB) withTx(ctx context.Context, fn func(pgx.Tx) error) error {
	return retry(ctx, func() error {
		return db.tryTx(ctx, func(tx pgx.Tx) error { return fn(boundedTx{tx}) })
	})
}

// retry runs fn again as long as PostgreSQL gave up on its transaction, up to five times in all.
func retry(ctx context.Context, fn func() error) error {
	for attempt := 1; ; attempt++ {
		err := fn()
		if err == nil || attempt == maxTxAttempts || !isTransient(err) {
			return err
		}
		// Those who met once would meet again if they all came back at the same time.
		pause := time.Duration(attempt) * (time.Millisecond + rand.N(10*time.Millisecond)) //nolint:gosec // it need not be hard to guess
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

func (db *DB) tryTx(ctx context.Context, fn func(pgx.Tx) error) error {
	tx, err := db.pool.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	committed := false
	defer func() {
		if committed {
			return
		}
		// The request may be over, and the connection still has to go back clean; so too when fn panics.
		rollbackCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_ = tx.Rollback(rollbackCtx) // when it fails the pool drops the connection, which rolls back as well
	}()
	if err := fn(tx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("before commit: %w", err)
	}
	// From here on the request's end does not count: a commit that is cut off may or may not have happened.
	commitCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if err := tx.Commit(commitCtx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	committed = true
	return nil
}

// isTransient reports whether running the same transaction again may succeed.
func isTransient(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// isLockTimeout reports whether a lock was not to be had within lock_timeout.
func isLockTimeout(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "55P03"
}

// noRows is the key of known that stands for pgx.ErrNoRows.
const noRows = ""

// known says, for one statement, which error a constraint's name (or noRows) stands for.
type known map[string]*apperr.Error

// translate turns what PostgreSQL said about op ("create account") into the noun's errors: pgx.ErrNoRows and violated
// constraints by the table expected, which may be nil. A database that cannot work is ErrGone or ErrFull. An *apperr.Error
// stays what it is; everything else is wrapped with op and is Internal. The cause stays in the chain, for the log and for withTx.
func translate(err error, op string, expected known) error {
	if err == nil {
		return nil
	}
	var already *apperr.Error
	if errors.As(err, &already) {
		return err
	}
	if errors.Is(err, pgx.ErrNoRows) {
		if e := expected[noRows]; e != nil {
			return e.Wrap(err)
		}
		return fmt.Errorf("%s: %w", op, err)
	}
	if e := fault(err); e != nil {
		return e.Wrap(fmt.Errorf("%s: %w", op, err))
	}
	var pg *pgconn.PgError
	// Class 23 is a violated constraint; other classes carry a constraint's name too, for other reasons.
	if errors.As(err, &pg) && len(pg.Code) == 5 && pg.Code[:2] == "23" && pg.ConstraintName != "" {
		if e := expected[pg.ConstraintName]; e != nil {
			return e.Wrap(err)
		}
	}
	return fmt.Errorf("%s: %w", op, err)
}

// querier is what a pool and a transaction have in common.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}
