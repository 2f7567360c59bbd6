package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// callTimeout is how long a statement may take that is a transaction of its own, the wait for a connection included.
	// PostgreSQL keeps its own limit only as long as it runs: one that was stopped, or whose machine is cut off, says
	// nothing at all, and whoever asked it must not wait for ever.
	callTimeout = 10 * time.Second
	// inTxTimeout is the same for a statement in a transaction. It leaves statement_timeout the first word.
	inTxTimeout = statementTimeout + 5*time.Second
	// pingTimeoutOfPool is how long a connection that was idle may take to prove itself before it is used.
	pingTimeoutOfPool = 2 * time.Second
)

// pool is pgx's, with a bound on every call. A call that runs into it ends in context.DeadlineExceeded, and pgx closes the
// connection.
type pool struct{ *pgxpool.Pool }

// Exec is pgxpool's, bounded.
func (p pool) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return p.Pool.Exec(ctx, sql, args...)
}

// Query is pgxpool's, bounded until the rows are closed.
func (p pool) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	rows, err := p.Pool.Query(ctx, sql, args...)
	if err != nil {
		cancel()
		return nil, err
	}
	return boundedRows{rows, cancel}, nil
}

// QueryRow is pgxpool's, bounded until the row is scanned.
func (p pool) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	return boundedRow{p.Pool.QueryRow(ctx, sql, args...), cancel}
}

// Batch runs all of a batch, bounded.
func (p pool) Batch(ctx context.Context, batch *pgx.Batch) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return p.SendBatch(ctx, batch).Close()
}

// Begin is pgxpool's; the bound is on the beginning alone.
func (p pool) Begin(ctx context.Context) (pgx.Tx, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return p.Pool.Begin(ctx)
}

// boundedTx is a transaction with a bound on each statement.
type boundedTx struct{ pgx.Tx }

// Exec is the transaction's, bounded.
func (tx boundedTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	ctx, cancel := context.WithTimeout(ctx, inTxTimeout)
	defer cancel()
	return tx.Tx.Exec(ctx, sql, args...)
}

// Query is the transaction's, bounded until the rows are closed.
func (tx boundedTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	ctx, cancel := context.WithTimeout(ctx, inTxTimeout)
	rows, err := tx.Tx.Query(ctx, sql, args...)
	if err != nil {
		cancel()
		return nil, err
	}
	return boundedRows{rows, cancel}, nil
}

// QueryRow is the transaction's, bounded until the row is scanned.
func (tx boundedTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	ctx, cancel := context.WithTimeout(ctx, inTxTimeout)
	return boundedRow{tx.Tx.QueryRow(ctx, sql, args...), cancel}
}

// boundedRows are rows whose bound ends with them.
type boundedRows struct {
	pgx.Rows
	cancel context.CancelFunc
}

// Close is the rows', and ends the bound.
func (r boundedRows) Close() {
	r.Rows.Close()
	r.cancel()
}

type boundedRow struct {
	pgx.Row
	cancel context.CancelFunc
}

// Scan is the row's, and ends the bound.
func (r boundedRow) Scan(dest ...any) error {
	defer r.cancel()
	return r.Row.Scan(dest...)
}
