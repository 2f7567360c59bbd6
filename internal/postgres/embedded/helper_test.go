package embedded

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"
)

const helperEnv = "KADR_EMBEDDED_HELPER"

// TestMain lets the test binary be another process that runs the cluster in the folder it is given: it prints how it
// started, and stops the cluster when its input ends.
func TestMain(m *testing.M) {
	dir := os.Getenv(helperEnv)
	if dir == "" {
		os.Exit(m.Run())
	}
	cluster, err := Start(context.Background(), Config{Dir: dir, Fast: true})
	if err != nil {
		fmt.Println("error:", strings.ReplaceAll(err.Error(), "\n", " "))
		os.Exit(1)
	}
	fmt.Printf("attached=%v\n", cluster.Attached())
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := cluster.Stop(context.Background()); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// helper is another process with the cluster.
type helper struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	said  string
}

func startHelper(t *testing.T, dir string) *helper {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+dir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h := &helper{cmd: cmd, stdin: stdin}
	t.Cleanup(func() { h.end(t) })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the helper said %q: %v", line, err)
	}
	h.said = strings.TrimSpace(line)
	return h
}

// end lets it stop its cluster and waits for it.
func (h *helper) end(t *testing.T) {
	t.Helper()
	h.stdin.Close()
	if err := h.cmd.Wait(); err != nil {
		if _, killed := errors.AsType[*exec.ExitError](err); !killed && !strings.Contains(err.Error(), "already called") {
			t.Error(err)
		}
	}
}

func (h *helper) kill(t *testing.T) {
	t.Helper()
	if err := h.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = h.cmd.Wait() // it says that it was killed
}

// start starts a cluster in the fast profile, stopped at the test's end.
func start(t *testing.T, cfg Config) *Cluster {
	t.Helper()
	cfg.Fast = true
	return startAs(t, cfg)
}

func startAs(t *testing.T, cfg Config) *Cluster {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	cluster, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, cluster) })
	return cluster
}

func stop(t *testing.T, cluster *Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := cluster.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func query(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var text string
	if err := conn.QueryRow(t.Context(), sql).Scan(&text); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return text
}

func exec1(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// tempDir names a folder for a cluster, which does not exist yet. It lies in memory where there is room, for a cluster
// is a thousand files, which some disks take seconds to make. Its parent is open to all, unlike that of t.TempDir.
func tempDir(t *testing.T) string {
	t.Helper()
	parent := ""
	var fs unix.Statfs_t
	if unix.Statfs("/dev/shm", &fs) == nil && fs.Bavail*uint64(fs.Bsize) > 4<<30 {
		parent = "/dev/shm"
	}
	dir, err := os.MkdirTemp(parent, "kadr-embedded-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "pg")
}
