package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Advisory locks, which hold between all processes on one database: "kadr", and a number.
const (
	// administratorsLock is on who is an administrator: shared by those who add an account to a populated instance,
	// exclusive for who may be the first, and for whoever takes an administrator away. Thus an instance with accounts always
	// has one.
	administratorsLock = 0x6b616472_0001
	// serverLock is shared by the servers and taken whole by a restore, which nobody may serve beside.
	serverLock = 0x6b616472_0002
	// removalLock is shared by removals of blobs and taken whole by who needs every blob to stay for a while.
	removalLock = 0x6b616472_0003
)

// ErrRestoring says that the database is being replaced by a backup.
var ErrRestoring = errors.New("a restore of a backup is at work on this database: try again when it is done")

const tryServeSQL = `SELECT pg_try_advisory_lock_shared($1)`

// CheckServing returns ErrRestoring while a restore is at work. Listen asks for itself.
func (db *DB) CheckServing(ctx context.Context) error {
	var free bool
	err := db.pool.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock_shared($1)`, int64(serverLock)).Scan(&free)
	if err == nil && !free {
		err = ErrRestoring
	}
	return translate(err, "look for a restore", nil)
}

// dedicated opens a connection outside of the pool, for work that takes long: no statement is ended for that. It writes and
// reads values in the one form that does not depend on the server's settings.
func (db *DB) dedicated(ctx context.Context) (*pgx.Conn, error) {
	cfg := db.pool.Config().ConnConfig.Copy()
	for name, value := range map[string]string{
		"statement_timeout": "0", "idle_in_transaction_session_timeout": "0", "lock_timeout": "0",
		"client_encoding": "UTF8", "datestyle": "ISO", "intervalstyle": "postgres", "timezone": "UTC",
		"bytea_output": "hex", "extra_float_digits": "3",
		// What this connection holds goes with it, so a server must notice soon when its other end is gone.
		"tcp_keepalives_idle": "15", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
	} {
		cfg.RuntimeParams[name] = value
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return conn, nil
}

// hangUp closes a dedicated connection, and with it ends what it holds.
func hangUp(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	// The server would see the connection's end a moment later, and whoever comes next should not have to wait for that.
	_, _ = conn.Exec(ctx, `SELECT pg_advisory_unlock_all()`)
	_ = conn.Close(ctx) // the server ends what it holds in any case
}
