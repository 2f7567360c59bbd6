// Package embedded runs a private PostgreSQL cluster for one Kadr, from the PostgreSQL programs installed on the
// machine. It exists so that `kadr serve` works with no database set up beforehand, and so that tests have a real
// server: the cluster lies under one folder, listens only on a unix socket that nobody else may open, starts and stops
// with the process, and survives kill -9 and power loss as any PostgreSQL does.
//
// The folder holds:
//
//	data/          the cluster, with a postgresql.conf that an operator may edit
//	run/           the socket, unless the path would be too long for one
//	postgres.log   what the server says; postgres.log.1 is the older part
//	lock           locked by the process that runs the server
package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Config says where the cluster is and how it runs.
type Config struct {
	// Dir is the cluster's folder. It is made when missing, and nothing else may be kept in it. Started by root, it
	// gets mode 0711, for the unprivileged user that runs the server must pass through it.
	Dir string
	// Log gets what this package does; the server's own messages go to postgres.log. Nil discards.
	Log *slog.Logger
	// Fast gives up durability for speed: for tests only. It holds for this start, not for the folder.
	Fast bool
	// SearchDirs replaces the folders in which the PostgreSQL programs are looked for; nil means the usual ones.
	SearchDirs []string
}

// Cluster is a running PostgreSQL server. Its methods may be called from any goroutine.
type Cluster struct {
	url      string
	server   *process           // nil when attached
	detach   context.CancelFunc // nil unless attached
	stopping atomic.Bool
	done     chan struct{}
	err      error // written before done is closed
	release  func()
	released sync.Once
}

// watch keeps the server's log within bounds and notes its end.
func (c *Cluster) watch(logFile *os.File) {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	defer close(c.done)
	defer logFile.Close()
	for {
		select {
		case <-ticker.C:
			// A full disk only makes the log longer: there is nothing better to do than to try again.
			_ = boundServerLog(logFile)
		case <-c.server.done:
			if !c.stopping.Load() {
				c.err = fmt.Errorf("PostgreSQL ended unexpectedly (%w); the end of %s:\n%s", c.server.exit(),
					logFile.Name(), logTail(logFile.Name(), 0))
			}
			return
		}
	}
}

// URL is the connection string of the cluster's database, for pgx and for libpq's programs.
func (c *Cluster) URL() string { return c.url }

// Attached tells whether another process runs the server, so that Stop leaves it running.
func (c *Cluster) Attached() bool { return c.server == nil }

// Done is closed when the server has ended, for whatever reason.
func (c *Cluster) Done() <-chan struct{} { return c.done }

// Err tells why the server ended without Stop. It is nil after Stop, and before Done is closed.
func (c *Cluster) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// Stop shuts the server down and returns when it has ended: open transactions are rolled back and what is committed is
// written out. When ctx ends first, the server is made to quit at once, which is safe too but costs a recovery at the
// next start. An attached server is left running. Calling it again does nothing.
func (c *Cluster) Stop(ctx context.Context) error {
	c.stopping.Store(true)
	var err error
	if c.Attached() {
		c.detach()
	} else {
		err = c.server.stop(ctx)
	}
	<-c.done
	c.released.Do(c.release)
	return err
}
