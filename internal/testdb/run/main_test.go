package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/testdb"
)

func TestRunGivesAServerAndTheStatus(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "url")
	status, err := run([]string{"/bin/sh", "-c", `printf %s "$` + testdb.EnvURL + `" > "$0"; exit 7`, file}, nil)
	if err != nil || status != 7 {
		t.Fatalf("status %d, %v; want 7", status, err)
	}
	url, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(url), "postgres://") {
		t.Errorf("the command got %q, %v", url, err)
	}
}

func TestRunForwardsSignals(t *testing.T) {
	t.Parallel()
	signals := make(chan os.Signal, 1)
	ready := filepath.Join(t.TempDir(), "ready")
	go func() {
		for {
			if _, err := os.Stat(ready); err == nil {
				signals <- syscall.SIGTERM
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	script := `trap 'exit 9' TERM; : > "$0"; while :; do sleep 0.05; done`
	status, err := run([]string{"/bin/sh", "-c", script, ready}, signals)
	if err != nil || status != 9 {
		t.Errorf("status %d, %v; want 9", status, err)
	}
}

func TestRunReportsAMissingCommand(t *testing.T) {
	t.Parallel()
	if status, err := run([]string{"/nonexistent/command"}, nil); err == nil || status == 0 {
		t.Errorf("status %d, %v", status, err)
	}
}
