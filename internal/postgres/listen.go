package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ChangeHandler hears what is no longer as it was. Its methods are called one at a time, and should return soon.
type ChangeHandler interface {
	// Changed says that these pictures were deleted, or that who may see them or what they are called has changed.
	Changed(ids []string)
	// ChangedAll says so of more pictures than are worth naming.
	ChangedAll()
	// KeysChanged says that there is another key to sign links with.
	KeysChanged()
	// Lost says that changes may go unheard from now on, and from a few seconds ago; until Restored. What is kept in memory
	// must not be relied on in between.
	Lost()
	// Restored says that every change from now on will be heard. Those before are not made up for: what was kept in memory
	// until now has to be forgotten.
	Restored()
}

const (
	changesChannel = "kadr_changes"

	// A connection that nothing comes from is asked for a sign of life. So one that is dead without a word, as after a
	// cable was cut, is noticed within the sum of both.
	quietTime   = 2 * time.Second
	pingTimeout = 2 * time.Second

	farewellTimeout = 250 * time.Millisecond // what is dead does not answer, and the next connection waits for it

	firstReconnect, lastReconnect = 50 * time.Millisecond, 5 * time.Second
)

// Listen tells handler of changes that any connection to the database makes, until ctx ends. It has a connection of its own,
// which it makes again when it is lost, and by which a restore sees that somebody serves. Nothing is heard before the first Restored. When it returns it has called Lost, if
// there was anything to lose.
func (db *DB) Listen(ctx context.Context, handler ChangeHandler) {
	pause := firstReconnect
	for ctx.Err() == nil {
		heard, err := db.listen(ctx, handler)
		if ctx.Err() != nil {
			return
		}
		if heard {
			pause = firstReconnect
		}
		db.log.WarnContext(ctx, "changes are not heard of just now", "error", err, "again", pause)
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause)): //nolint:gosec // it need not be hard to guess
		}
		pause = min(pause*2, lastReconnect)
	}
}

// listen serves one connection to its end. It reports whether it got as far as to listen.
func (db *DB) listen(ctx context.Context, handler ChangeHandler) (heard bool, err error) {
	conn, err := pgx.ConnectConfig(ctx, db.pool.Config().ConnConfig.Copy())
	if err != nil {
		return false, fmt.Errorf("connect to listen: %w", err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewellTimeout)
		defer cancel()
		_ = conn.Close(closing) // there is nothing that it could lose
	}()
	if err := within(ctx, pingTimeout, func(ctx context.Context) error {
		var free bool
		if err := conn.QueryRow(ctx, tryServeSQL, int64(serverLock)).Scan(&free); err != nil {
			return err
		}
		if !free {
			return ErrRestoring
		}
		_, err := conn.Exec(ctx, `LISTEN `+changesChannel)
		return err
	}); err != nil {
		return false, fmt.Errorf("listen: %w", err)
	}
	handler.Restored()
	defer handler.Lost()
	for {
		var n *pgconn.Notification
		err := within(ctx, quietTime, func(ctx context.Context) (err error) {
			n, err = conn.WaitForNotification(ctx)
			return err
		})
		switch {
		case err == nil:
			hear(handler, n.Payload)
			continue
		case ctx.Err() != nil:
			return true, ctx.Err()
		case !errors.Is(err, context.DeadlineExceeded):
			return true, fmt.Errorf("listen: %w", err)
		}
		// Notifications that come before the answer are kept for the next round.
		if err := within(ctx, pingTimeout, conn.Ping); err != nil {
			return true, fmt.Errorf("listen: no sign of life: %w", err)
		}
	}
}

func within(ctx context.Context, limit time.Duration, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return fn(ctx)
}

// hear reads what the triggers of migration 2 wrote.
func hear(handler ChangeHandler, payload string) {
	switch payload {
	case "*":
		handler.ChangedAll()
	case "keys":
		handler.KeysChanged()
	default:
		handler.Changed(strings.Split(payload, ","))
	}
}
