package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/kadr-app/kadr/internal/apperr"
)

// The failures that are the database's and not the statement's.
var (
	// ErrGone (Unavailable) says that the database cannot be reached, does not answer in time, or refuses to work just now.
	// What was asked may or may not have been done.
	ErrGone = apperr.New(apperr.Unavailable, "database_unavailable",
		"The database does not answer just now. Please try again in a moment.").After(5 * time.Second)
	// ErrFull (InsufficientStorage) says that the database's disk has no room left.
	ErrFull = apperr.New(apperr.InsufficientStorage, "database_full",
		"There is no room left to store anything. Try again later.").After(time.Minute)
)

// fault returns ErrGone or ErrFull where err is one of those; nil for what a statement or its data are to blame for, and
// when the caller went away.
func fault(err error) *apperr.Error {
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	var network net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return nil
	case errors.As(err, &connect):
		return ErrGone
	case errors.As(err, &pg):
		return faultOf(pg.Code)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, net.ErrClosed), errors.Is(err, pgconn.ErrConnClosed), errors.As(err, &network), pgconn.SafeToRetry(err):
		return ErrGone
	}
	return nil
}

// faultOf knows the SQLSTATEs of a server that cannot work, whatever the statement.
func faultOf(code string) *apperr.Error {
	switch code {
	case "53100": // disk_full
		return ErrFull
	case "57P01", "57P02", "57P03", "57P05", // it shuts down, crashed, starts, ended an idle session
		"57014", "55P03", // a statement, or its wait for a lock, took too long
		"53200", "53300", // out of memory, too many connections
		"25006",          // it only reads: a standby that was the primary a moment ago
		"58000", "58030": // the machine below it fails
		return ErrGone
	}
	if len(code) == 5 && code[:2] == "08" { // connection exceptions
		return ErrGone
	}
	return nil
}
