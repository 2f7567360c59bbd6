package testdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/kadr-app/kadr/internal/postgres/embedded"
)

// maxTempPath is the longest folder of temporary files that leaves room for a unix socket's path below it. With a
// longer one the socket would lie in a folder of its own, which nobody would remove after a kill.
const maxTempPath = 40

// janitor is run by a shell that outlives this process. It waits until its standard input ends, as it does however
// this process ends, then ends the server if that still runs, and removes the folder $1.
const janitor = `
cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null
n=0
while [ -e "$1/data/postmaster.pid" ] && [ "$n" -lt 200 ]; do sleep 0.05; n=$((n+1)); done
rm -rf -- "$1" 2>/dev/null || { sleep 1; rm -rf -- "$1"; }
`

// Server is a throw-away PostgreSQL server in a temporary folder, in memory where there is room. Both are gone once the
// process that started it has ended, even by kill -9; keep a reference to it for as long as it is in use.
type Server struct {
	cluster *embedded.Cluster
	keep    io.Closer // while it is open, the janitor waits
	janitor *exec.Cmd
}

// StartServer starts a server with durability turned off. It takes about a second and a half.
func StartServer(ctx context.Context, log *slog.Logger) (*Server, error) {
	temp := memoryDir()
	if temp == "" {
		temp = os.TempDir()
	}
	if len(temp) > maxTempPath {
		temp = "/tmp"
	}
	dir, err := os.MkdirTemp(temp, "kadr-testdb-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the test server: %w", err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	s := &Server{janitor: exec.Command("/bin/sh", "-c", janitor, "kadr-testdb-janitor", dir)}
	// Not in our process group, to outlive a Ctrl-C. Its output goes nowhere: `go test` waits for whoever holds its own.
	s.janitor.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if s.keep, err = s.janitor.StdinPipe(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.janitor.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the test server's janitor: %w", err), os.RemoveAll(dir))
	}
	s.cluster, err = embedded.Start(ctx, embedded.Config{Dir: dir, Log: log, Fast: true})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the test server: %w", err), s.clean())
	}
	return s, nil
}

// URL is what [EnvURL] has to be for tests to use this server.
func (s *Server) URL() string { return s.cluster.URL() }

// Close stops the server and removes its folder.
func (s *Server) Close(ctx context.Context) error {
	return errors.Join(s.cluster.Stop(ctx), s.clean())
}

func (s *Server) clean() error {
	return errors.Join(s.keep.Close(), s.janitor.Wait())
}
