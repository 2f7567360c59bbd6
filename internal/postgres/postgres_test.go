package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/testdb"
)

func openTest(t *testing.T, opts Options) *DB {
	t.Helper()
	db, err := Open(t.Context(), testdb.New(t).URL, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

func exec(t *testing.T, db *DB, sql string, args ...any) {
	t.Helper()
	if _, err := db.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func queryInt(t *testing.T, db *DB, sql string, args ...any) (n int) {
	t.Helper()
	if err := db.pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOpenSetsUpItsConnections(t *testing.T) {
	t.Parallel()
	db := openTest(t, Options{})
	for setting, want := range map[string]string{
		"application_name": "kadr", "statement_timeout": "30s", "idle_in_transaction_session_timeout": "1min", "TimeZone": "UTC", "jit": "off",
	} {
		var got string
		if err := db.pool.QueryRow(t.Context(), `SELECT current_setting($1)`, setting).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, want %q (%v)", setting, got, want, err)
		}
	}
	if got := db.pool.Config().MaxConns; got < 4 {
		t.Errorf("%d connections", got)
	}
	var now time.Time
	if err := db.pool.QueryRow(t.Context(), `SELECT now()`).Scan(&now); err != nil || now.Location() != time.UTC {
		t.Errorf("a time in %v, %v", now.Location(), err)
	}
	if other := openTest(t, Options{MaxConns: 3, AppName: "kadr doctor"}); other.pool.Config().MaxConns != 3 ||
		other.pool.Config().ConnConfig.RuntimeParams["application_name"] != "kadr doctor" {
		t.Error("the options don't count")
	}
}

func TestOpenFails(t *testing.T) {
	t.Parallel()
	for what, url := range map[string]string{
		"not a URL":      "postgres://[::1",
		"nobody listens": "postgres://anna:secret-word@127.0.0.1:1/kadr",
	} {
		_, err := Open(t.Context(), url, Options{})
		if err == nil || strings.Contains(err.Error(), "secret-word") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestPing(t *testing.T) {
	t.Parallel()
	db := openTest(t, Options{})
	if err := db.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	empty, err := Open(t.Context(), testdb.NewEmpty(t).URL, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Close()
	if empty.Ping(t.Context()) == nil {
		t.Error("a database with no schema passes for a good one")
	}
}

func TestWithTxCommitsOrLeavesNothing(t *testing.T) {
	t.Parallel()
	db := openTest(t, Options{MaxConns: 1}) // a connection that is not given back would hang the test
	insert := func(tx pgx.Tx, key string) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO rate_limits (key, tat) VALUES ($1, now())`, key)
		return err
	}
	if err := db.withTx(t.Context(), func(tx pgx.Tx) error { return insert(tx, "kept") }); err != nil {
		t.Fatal(err)
	}
	if err := db.withTx(t.Context(), func(tx pgx.Tx) error { return errors.Join(insert(tx, "failed"), io.EOF) }); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := db.withTx(ctx, func(tx pgx.Tx) error {
		defer cancel() // the client goes away before the commit
		return insert(tx, "cancelled")
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = db.withTx(t.Context(), func(tx pgx.Tx) error {
			if err := insert(tx, "panicked"); err != nil {
				t.Error(err)
			}
			panic("as a bug would")
		})
	}()
	if n := queryInt(t, db, `SELECT count(*) FROM rate_limits`); n != 1 {
		t.Errorf("%d rows, and only one was committed", n)
	}
	if n := db.pool.Stat().NewConnsCount(); n != 1 {
		t.Errorf("%d connections were needed; a rollback lost one", n)
	}
}

func TestWithTxRunsAgainAfterADeadlock(t *testing.T) {
	t.Parallel()
	db := openTest(t, Options{})
	exec(t, db, `INSERT INTO rate_limits (key, tat) VALUES ('a', now()), ('b', now())`)
	var runs atomic.Int32
	var met sync.WaitGroup
	met.Add(2)
	cross := func(first, second string) error {
		meet := sync.OnceFunc(func() { met.Done(); met.Wait() })
		return db.withTx(t.Context(), func(tx pgx.Tx) error {
			runs.Add(1)
			if _, err := tx.Exec(t.Context(), `UPDATE rate_limits SET tat = now() WHERE key = $1`, first); err != nil {
				return err
			}
			meet() // both hold one row and want the other's
			_, err := tx.Exec(t.Context(), `UPDATE rate_limits SET tat = now() WHERE key = $1`, second)
			return translate(err, "cross", nil)
		})
	}
	var one, two error
	var wg sync.WaitGroup
	wg.Go(func() { one = cross("a", "b") })
	wg.Go(func() { two = cross("b", "a") })
	wg.Wait()
	if one != nil || two != nil || runs.Load() != 3 {
		t.Errorf("%v and %v after %d runs", one, two, runs.Load())
	}
}

func TestWithTxGivesUpInTheEnd(t *testing.T) {
	t.Parallel()
	db := openTest(t, Options{})
	runs := 0
	err := db.withTx(t.Context(), func(pgx.Tx) error {
		runs++
		return &pgconn.PgError{Code: "40001"}
	})
	if runs != maxTxAttempts || !isTransient(err) {
		t.Errorf("%v after %d runs", err, runs)
	}
}

func TestTranslate(t *testing.T) {
	t.Parallel()
	taken := apperr.New(apperr.Conflict, "name_taken", "That name is taken.")
	missing := apperr.New(apperr.NotFound, "account_not_found", "There is no such account.")
	expected := known{noRows: missing, "accounts_name_key": taken}
	unique := &pgconn.PgError{Code: "23505", ConstraintName: "accounts_name_key", Message: "accounts_name_key"}
	for what, tc := range map[string]struct {
		err      error
		expected known
		want     apperr.Kind
	}{
		"no rows":                        {pgx.ErrNoRows, expected, apperr.NotFound},
		"no rows, unexpected":            {pgx.ErrNoRows, nil, apperr.Internal},
		"a constraint":                   {unique, expected, apperr.Conflict},
		"a wrapped constraint":           {fmt.Errorf("x: %w", unique), expected, apperr.Conflict},
		"a constraint, unexpected":       {unique, nil, apperr.Internal},
		"the message alone":              {&pgconn.PgError{Code: "23505", Message: "accounts_name_key"}, expected, apperr.Internal},
		"another class":                  {&pgconn.PgError{Code: "42704", ConstraintName: "accounts_name_key"}, expected, apperr.Internal},
		"what has a name already":        {taken, nil, apperr.Conflict},
		"what has nothing to do with it": {io.ErrShortBuffer, expected, apperr.Internal},
		"the caller went away":           {fmt.Errorf("x: %w", context.Canceled), expected, apperr.Internal},
		"a connection that ended":        {io.ErrUnexpectedEOF, expected, apperr.Unavailable},
		"a server that says nothing":     {fmt.Errorf("x: %w", context.DeadlineExceeded), expected, apperr.Unavailable},
		"a server that starts":           {&pgconn.PgError{Code: "57P03"}, expected, apperr.Unavailable},
		"too many connections":           {&pgconn.PgError{Code: "53300"}, expected, apperr.Unavailable},
		"a broken connection":            {&pgconn.PgError{Code: "08006"}, expected, apperr.Unavailable},
		"a full disk":                    {&pgconn.PgError{Code: "53100"}, expected, apperr.InsufficientStorage},
	} {
		got := translate(tc.err, "try", tc.expected)
		if apperr.KindOf(got) != tc.want || !errors.Is(got, tc.err) {
			t.Errorf("%s: %v", what, got)
		}
	}
	if translate(nil, "try", expected) != nil {
		t.Error("nil became an error")
	}
}
