package postgres

import (
	"context"
	"time"
)

// PoolStats is a snapshot of the pool; the counters begin with it.
type PoolStats struct {
	Acquired, Idle, Constructing, Max int // connections

	Acquires  uint64        // connections that were handed out
	Waits     uint64        // those that had to be waited for, since none was idle
	WaitTime  time.Duration // for all of them together
	Cancelled uint64        // waits that were given up
	Opened    uint64        // connections that were made
}

// PoolStats returns the pool's gauges and counters. It asks nothing of the database.
func (db *DB) PoolStats() PoolStats {
	s := db.pool.Stat()
	return PoolStats{
		Acquired: int(s.AcquiredConns()), Idle: int(s.IdleConns()), Constructing: int(s.ConstructingConns()), Max: int(s.MaxConns()),
		Acquires: uint64(s.AcquireCount()), Waits: uint64(s.EmptyAcquireCount()), WaitTime: s.EmptyAcquireWaitTime(),
		Cancelled: uint64(s.CanceledAcquireCount()), Opened: uint64(s.NewConnsCount()),
	}
}

// Figures say how much there is, in all replicas together.
type Figures struct {
	DatabaseBytes        int64 // of the database itself on its disk
	Accounts             int64
	Images               int64
	Blobs, BlobBytes     int64 // originals, each counted once
	Lost                 int64 // blobs whose bytes doctor found missing or damaged
	Variants, CacheBytes int64 // files of variants and masters
	Sessions             int64
}

// Pictures are counted by what each account holds, which is kept up to date: there may be millions of them. The two tables
// that have to be read whole have short rows.
const figuresSQL = `
SELECT pg_database_size(current_database()),
    (SELECT count(*) FROM accounts),
    (SELECT coalesce(sum(images), 0)::bigint FROM account_usage),
    b.files, b.bytes, b.lost, v.files, v.bytes,
    (SELECT count(*) FROM sessions WHERE expires_at > now())
FROM (SELECT count(*) AS files, coalesce(sum(size), 0)::bigint AS bytes, count(lost_at) AS lost FROM blobs) AS b,
    (SELECT count(*) AS files, coalesce(sum(size), 0)::bigint AS bytes FROM variants WHERE size > 0) AS v`

// Figures counts. It reads whole tables, so whoever asks should keep what it says for a while.
func (db *DB) Figures(ctx context.Context) (f Figures, err error) {
	err = db.pool.QueryRow(ctx, figuresSQL).Scan(&f.DatabaseBytes, &f.Accounts, &f.Images, &f.Blobs, &f.BlobBytes, &f.Lost,
		&f.Variants, &f.CacheBytes, &f.Sessions)
	return f, translate(err, "count what there is", nil)
}
