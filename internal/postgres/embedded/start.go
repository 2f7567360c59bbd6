package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// startTimeout bounds Start. It is long because recovery after a crash replays up to max_wal_size (1 GB) of log.
	startTimeout = 5 * time.Minute
	// stillInUse bounds the wait for the last backends of a server that was killed.
	stillInUse = 20 * time.Second
	pollEvery  = 10 * time.Millisecond
)

// Start brings up the cluster in cfg.Dir, made first if there is none, and returns when its database answers. When
// another live process already runs it, the Cluster is attached to that server instead. A server that a killed kadr
// left behind is shut down first and started anew. ctx bounds only the start, which takes five minutes at most.
//
// The error says what to do: which package to install, which folder to open, or why the server gave up, in the last
// lines of its log. With no PostgreSQL of a usable version it is [ErrNoBinaries].
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	at, err := newLayout(cfg.Dir)
	if err != nil {
		return nil, err
	}
	for {
		lock, err := tryLock(at.lock)
		if err != nil {
			return nil, err
		}
		if lock != nil {
			cluster, err := own(ctx, cfg, at, log)
			if err != nil {
				at.removeRuntime()
				return nil, errors.Join(err, lock.Close())
			}
			cluster.release = func() {
				at.removeRuntime()
				_ = lock.Close() // the kernel gives the lock back in any case
			}
			return cluster, nil
		}
		cluster, err := attach(ctx, at)
		if err == nil {
			log.InfoContext(ctx, "attached to the running PostgreSQL", "dir", at.dir)
			return cluster, nil
		}
		// The other process may still be starting its server, or be about to end and leave the lock to us.
		if sleep(ctx, 5*pollEvery) != nil {
			return nil, fmt.Errorf("another process (%s) holds %s, but its PostgreSQL does not answer: %w",
				lockHolder(at.lock), at.lock, err)
		}
	}
}

// own starts the server as this process's child. The caller holds the lock.
func own(ctx context.Context, cfg Config, at *layout, log *slog.Logger) (*Cluster, error) {
	began := time.Now()
	major, err := at.major()
	if err != nil {
		return nil, err
	}
	bin, err := chooseBinaries(ctx, cfg.SearchDirs, at.data, major)
	if err != nil {
		return nil, err
	}
	run, err := at.prepare(ctx, bin)
	if err != nil {
		return nil, err
	}
	if err := settle(ctx, at.data, log); err != nil {
		return nil, err
	}
	if err := at.removeStaleSocket(); err != nil {
		return nil, err
	}
	if major == 0 {
		log.InfoContext(ctx, "making a PostgreSQL cluster", "dir", at.dir, "version", bin.Major, "user", run.user.name)
		if err := initialize(ctx, at, bin, run, cfg.Fast); err != nil {
			return nil, err
		}
	}
	logFile, err := openServerLog(at.log)
	if err != nil {
		return nil, err
	}
	server, err := launch(ctx, at, bin, run, logFile, cfg.Fast)
	if err != nil {
		return nil, errors.Join(err, logFile.Close())
	}
	cluster := &Cluster{url: dsn(at.socketDir, socketPort), server: server, done: make(chan struct{})}
	if err := ensureDatabase(ctx, at.socketDir); err != nil {
		err = fmt.Errorf("reach the private PostgreSQL: %w", err)
		return nil, errors.Join(err, server.stop(ctx), logFile.Close())
	}
	go cluster.watch(logFile)
	log.InfoContext(ctx, "PostgreSQL is ready", "dir", at.dir, "version", bin.Major, "duration", time.Since(began))
	return cluster, nil
}

// launch starts the server and waits until it takes connections, trying again while what is left of a killed one still
// holds its shared memory.
func launch(
	ctx context.Context, at *layout, bin Binaries, run runAs, logFile *os.File, fast bool,
) (*process, error) {
	deadline := time.Now().Add(stillInUse)
	for {
		from, err := logFile.Seek(0, io.SeekEnd)
		if err != nil {
			return nil, err
		}
		server, err := spawn(serverCommand(at, bin, run, logFile, fast))
		if err != nil {
			return nil, fmt.Errorf("run PostgreSQL as user %s: %w", run.user.name, err)
		}
		err = waitReady(ctx, at.data, server)
		if err == nil {
			return server, nil
		}
		if ctx.Err() != nil {
			return nil, errors.Join(fmt.Errorf("PostgreSQL was not ready in time: %w", err), server.stop(ctx))
		}
		tail := logTail(at.log, from)
		if !tail.has("is still in use") || time.Now().After(deadline) {
			return nil, fmt.Errorf("PostgreSQL did not start (%w); the end of %s:\n%s", err, at.log, tail)
		}
		if err := sleep(ctx, 20*pollEvery); err != nil {
			return nil, err
		}
	}
}

// waitReady returns when the server says in its pid file that it takes connections, or the reason why it ended.
func waitReady(ctx context.Context, data string, server *process) error {
	for {
		select {
		case <-server.done:
			return server.exit()
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollEvery):
		}
		if pid, err := readPIDFile(data); err == nil && pid.ready && pid.pid == server.pid {
			return nil
		}
	}
}

// attach connects to a server that another process runs. A connection kept open tells when that server ends.
func attach(ctx context.Context, at *layout) (*Cluster, error) {
	pid, err := readPIDFile(at.data)
	if err != nil {
		return nil, err
	}
	if !pid.ready {
		return nil, errors.New("the server is still starting")
	}
	url := dsn(pid.socketDir, pid.port)
	connectCtx, cancelConnect := context.WithTimeout(ctx, 5*time.Second)
	defer cancelConnect()
	conn, err := pgx.Connect(connectCtx, url)
	if err != nil {
		return nil, err
	}
	watchCtx, detach := context.WithCancel(context.Background())
	cluster := &Cluster{url: url, detach: detach, done: make(chan struct{}), release: func() {}}
	go func() {
		_, err := conn.WaitForNotification(watchCtx)
		closeCtx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = conn.Close(closeCtx) // it has failed, or is of no more use
		if !cluster.stopping.Load() {
			cluster.err = fmt.Errorf("the PostgreSQL of another kadr process ended: %w", err)
		}
		close(cluster.done)
	}()
	return cluster, nil
}
