package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// orphanGrace is how long a server left behind may take to shut down before it is told to quit at once.
const orphanGrace = time.Minute

// pidFile is what PostgreSQL writes to postmaster.pid while it runs.
type pidFile struct {
	pid       int
	port      int
	socketDir string
	ready     bool // it takes connections
}

func pidFileName(data string) string { return filepath.Join(data, "postmaster.pid") }

// readPIDFile returns what is known so far: PostgreSQL writes the file line by line as it starts.
func readPIDFile(data string) (pidFile, error) {
	text, err := os.ReadFile(pidFileName(data))
	if err != nil {
		return pidFile{}, err
	}
	// The lines: pid, data folder, start time, port, socket folder, listen address, shared memory, status.
	lines := append(strings.Split(string(text), "\n"), make([]string, 8)...)
	var p pidFile
	p.pid, _ = strconv.Atoi(strings.TrimSpace(lines[0]))
	p.port, _ = strconv.Atoi(strings.TrimSpace(lines[3]))
	p.socketDir = strings.TrimSpace(lines[4])
	p.ready = strings.TrimSpace(lines[7]) == "ready"
	return p, nil
}

// settle makes way for a new server when postmaster.pid tells of an older one: it shuts down one that still runs, with
// no kadr to it, and removes the file of one that is gone. PostgreSQL would do the latter itself, but would be fooled
// by a process that has got the same number since, or by a zombie that nobody reaps, both common in containers.
//
// One that runs is not taken over as it is: it was told to shut down when its kadr died, may have been started with
// other settings, and would not be our child.
func settle(ctx context.Context, data string, log *slog.Logger) error {
	began, told := time.Now(), syscall.Signal(0)
	for ; ; time.Sleep(pollEvery) {
		if ctx.Err() != nil {
			return fmt.Errorf("wait for the PostgreSQL server that an earlier kadr left behind: %w", ctx.Err())
		}
		pid, err := readPIDFile(data)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look for a running PostgreSQL: %w", err)
		}
		if pid.pid <= 0 && time.Since(began) < time.Second {
			continue // a server that is just starting has made the file but not filled it
		}
		if !serverAlive(pid.pid, data) {
			return removeStale(data, pid)
		}
		signal := syscall.SIGINT
		if time.Since(began) > orphanGrace {
			signal = syscall.SIGQUIT
		}
		if signal != told {
			told = signal
			log.WarnContext(ctx, "shutting down the PostgreSQL server that an earlier kadr left behind", "pid", pid.pid)
			if err := syscall.Kill(pid.pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("shut down the PostgreSQL server that an earlier kadr left behind (process %d): %w",
					pid.pid, err)
			}
		}
	}
}

func removeStale(data string, pid pidFile) error {
	// A server in another container has no process number here, but it would answer.
	if pid.socketDir != "" {
		name := filepath.Join(pid.socketDir, fmt.Sprintf(".s.PGSQL.%d", pid.port))
		if conn, err := net.DialTimeout("unix", name, time.Second); err == nil {
			conn.Close()
			return fmt.Errorf("a PostgreSQL server that is not kadr's own runs on %s: stop it first", data)
		}
	}
	if err := os.Remove(pidFileName(data)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a stale postmaster.pid: %w", err)
	}
	return nil
}
