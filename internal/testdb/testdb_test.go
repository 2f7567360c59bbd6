package testdb_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kadr-app/kadr/db"
	"github.com/kadr-app/kadr/internal/testdb"
)

const helperEnv = "KADR_TESTDB_HELPER"

// TestMain lets the test binary be a process that starts a server and waits to be killed.
func TestMain(m *testing.M) {
	if os.Getenv(helperEnv) == "" {
		os.Exit(m.Run())
	}
	server, err := testdb.StartServer(context.Background(), slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(server.URL())
	<-make(chan struct{}) // with the server's timers about, this is no deadlock to the runtime
}

func TestNewIsMigratedAndPrivate(t *testing.T) {
	t.Parallel()
	one, two := testdb.New(t), testdb.New(t)
	status, err := db.ReadStatus(t.Context(), one.URL)
	if err != nil {
		t.Fatal(err)
	}
	if len(status.Pending()) != 0 || status.Current != status.Latest {
		t.Errorf("not migrated: %+v", status)
	}
	if _, err := one.Pool.Exec(t.Context(), "CREATE TABLE only_here ()"); err != nil {
		t.Fatal(err)
	}
	var exists bool
	if err := two.Pool.QueryRow(t.Context(), "SELECT to_regclass('only_here') IS NOT NULL").Scan(&exists); err != nil {
		t.Fatal(err)
	}
	if exists {
		t.Error("two tests share a database")
	}
}

func TestDropsItsDatabase(t *testing.T) { //nolint:tparallel // the inner test has to end before the rest
	t.Parallel()
	var url string
	t.Run("inner", func(t *testing.T) {
		d := testdb.New(t)
		url = d.URL
		// Somebody else's connection, still open at the end of the test, does not keep the database.
		conn, err := pgx.Connect(t.Context(), d.URL)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn
	})
	if conn, err := pgx.Connect(t.Context(), url); err == nil {
		conn.Close(t.Context())
		t.Error("the database outlived its test")
	}
}

func TestServerLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*exec.Cmd) error{
		"interrupted": func(c *exec.Cmd) error { return c.Process.Signal(os.Interrupt) },
		"killed":      func(c *exec.Cmd) error { return c.Process.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			helper := exec.Command(os.Args[0])
			helper.Env = append(os.Environ(), helperEnv+"=1")
			out, err := helper.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := helper.Start(); err != nil {
				t.Fatal(err)
			}
			url, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := pgx.ParseConfig(strings.TrimSpace(url))
			if err != nil {
				t.Fatalf("helper said %q: %v", url, err)
			}
			dir := filepath.Dir(cfg.Host)
			if _, err := os.Stat(dir); err != nil {
				t.Fatal(err)
			}
			if err := end(helper); err != nil {
				t.Fatal(err)
			}
			_ = helper.Wait() // it was killed, and says so
			for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				if _, err := os.Stat(dir); os.IsNotExist(err) {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("%s was left behind", dir)
				}
			}
			if conn, err := pgx.Connect(t.Context(), cfg.ConnString()); err == nil {
				conn.Close(t.Context())
				t.Error("the server still runs")
			}
		})
	}
}

// BenchmarkNew leaves out the drop, which comes with the benchmark's end.
func BenchmarkNew(b *testing.B) {
	testdb.New(b) // makes the template
	for b.Loop() {
		testdb.New(b)
	}
}
