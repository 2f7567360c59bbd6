package embedded

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestLifecycle(t *testing.T) {
	t.Parallel()
	cfg := Config{Dir: tempDir(t)}
	first := start(t, cfg)
	for setting, want := range map[string]string{
		"server_encoding": "UTF8", "data_checksums": "on", "listen_addresses": "", "TimeZone": "UTC",
	} {
		if got := query(t, first.URL(), "SHOW "+setting); got != want {
			t.Errorf("%s is %q, want %q", setting, got, want)
		}
	}
	if got := query(t, first.URL(), "SELECT upper('кадр')"); got != "КАДР" {
		t.Errorf("upper gave %q", got)
	}
	if first.Attached() || first.Err() != nil {
		t.Errorf("attached %v, err %v", first.Attached(), first.Err())
	}
	exec1(t, first.URL(), "CREATE TABLE kept AS SELECT 'yes' AS value")
	stop(t, first)
	stop(t, first) // again, for nothing
	select {
	case <-first.Done():
	default:
		t.Error("Done is open after Stop")
	}
	if err := first.Err(); err != nil {
		t.Errorf("Err after Stop: %v", err)
	}

	began := time.Now()
	second := start(t, cfg)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the second start took %v", took)
	} else {
		t.Logf("the second start took %v", took)
	}
	if got := query(t, second.URL(), "SELECT value FROM kept"); got != "yes" {
		t.Errorf("after a restart: %q", got)
	}
}

func TestProductionIsDurable(t *testing.T) {
	t.Parallel()
	cluster := startAs(t, Config{Dir: tempDir(t)})
	for setting, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "max_connections": "100",
		"shared_buffers": "128MB", "jit": "off",
	} {
		if got := query(t, cluster.URL(), "SHOW "+setting); got != want {
			t.Errorf("%s is %q, want %q", setting, got, want)
		}
	}
}

func TestKilledParentEndsTheServer(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	h := startHelper(t, dir)
	at, err := newLayout(dir)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := readPIDFile(at.data)
	if err != nil {
		t.Fatal(err)
	}
	url := dsn(pid.socketDir, pid.port)
	exec1(t, url, "CREATE TABLE kept AS SELECT 'yes' AS value")
	h.kill(t)

	// At once, while the old server is still shutting down.
	cluster := start(t, Config{Dir: dir})
	if cluster.Attached() {
		t.Error("attached to a dead process's server")
	}
	if got := query(t, cluster.URL(), "SELECT value FROM kept"); got != "yes" {
		t.Errorf("after the kill: %q", got)
	}
	if serverAlive(pid.pid, at.data) {
		t.Error("the old server still runs")
	}
}

func TestKilledServer(t *testing.T) {
	t.Parallel()
	cfg := Config{Dir: tempDir(t)}
	cluster := startAs(t, cfg)
	exec1(t, cluster.URL(), "CREATE TABLE kept AS SELECT 'yes' AS value")
	if err := syscall.Kill(cluster.server.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-cluster.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("Done stays open after the server was killed")
	}
	if err := cluster.Err(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("Err is %v", err)
	}
	stop(t, cluster)
	again := startAs(t, cfg)
	if got := query(t, again.URL(), "SELECT value FROM kept"); got != "yes" {
		t.Errorf("after recovery: %q", got)
	}
}

func TestOrphanIsReplaced(t *testing.T) {
	t.Parallel()
	cfg := Config{Dir: tempDir(t)}
	orphan := start(t, cfg)
	orphan.stopping.Store(true) // its end is expected
	orphan.release()            // as if its kadr had died and it had lived on
	orphan.release = func() {}
	next := start(t, cfg)
	if next.Attached() {
		t.Error("attached to an orphan")
	}
	select {
	case <-orphan.Done():
	default:
		t.Error("the orphan still runs")
	}
	query(t, next.URL(), "SELECT 'alive'")
}

func TestAttach(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	h := startHelper(t, dir)
	if h.said != "attached=false" {
		t.Fatalf("the helper said %q", h.said)
	}
	one, two := start(t, Config{Dir: dir}), start(t, Config{Dir: dir})
	if !one.Attached() || !two.Attached() {
		t.Fatal("not attached")
	}
	stop(t, one)
	if got := query(t, two.URL(), "SELECT 'alive'"); got != "alive" || one.Err() != nil {
		t.Errorf("after the other's Stop: %q, %v", got, one.Err())
	}
	h.end(t)
	select {
	case <-two.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("Done stays open after the server's own process stopped it")
	}
	if two.Err() == nil {
		t.Error("no error though the server went away")
	}
}

func TestConcurrentStart(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	clusters := make([]*Cluster, 3)
	var wg sync.WaitGroup
	for i := range clusters {
		wg.Go(func() {
			var err error
			if clusters[i], err = Start(t.Context(), Config{Dir: dir, Fast: true}); err != nil {
				t.Error(err)
			}
		})
	}
	h := startHelper(t, dir) // one more, in another process
	wg.Wait()
	if t.Failed() {
		return
	}
	owners := strings.Count(h.said, "attached=false")
	for _, cluster := range clusters {
		query(t, cluster.URL(), "SELECT 'alive'")
		if !cluster.Attached() {
			owners++
		}
	}
	if owners != 1 {
		t.Errorf("%d of 4 run the server, want 1", owners)
	}
	for _, cluster := range clusters {
		if cluster.Attached() {
			stop(t, cluster)
		}
	}
	for _, cluster := range clusters {
		stop(t, cluster)
	}
}

func TestStalePIDFile(t *testing.T) {
	t.Parallel()
	cfg := Config{Dir: tempDir(t)}
	first := start(t, cfg)
	stop(t, first)
	// The number of a process that lives, but is no PostgreSQL: this one.
	stale := fmt.Sprintf("%d\n%s\n0\n5432\n/nonexistent\n", os.Getpid(), filepath.Join(cfg.Dir, "data"))
	for _, content := range []string{stale, ""} {
		if err := os.WriteFile(filepath.Join(cfg.Dir, "data", "postmaster.pid"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		again := start(t, cfg)
		query(t, again.URL(), "SELECT 'alive'")
		stop(t, again)
	}
}

func TestInterruptedInit(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	if err := os.MkdirAll(filepath.Join(dir, "data.init", "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	query(t, start(t, Config{Dir: dir}).URL(), "SELECT 'alive'")
}

func TestCanceledStart(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Start(ctx, Config{Dir: dir, Fast: true}); err == nil {
		t.Fatal("a canceled start succeeded")
	}
	query(t, start(t, Config{Dir: dir}).URL(), "SELECT 'alive'")
}

func TestBrokenConfigShowsTheLog(t *testing.T) {
	t.Parallel()
	cfg := Config{Dir: tempDir(t)}
	stop(t, start(t, cfg))
	name := filepath.Join(cfg.Dir, "data", "postgresql.conf")
	if err := os.WriteFile(name, []byte("no_such_setting = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Fast = true
	_, err := Start(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") || !strings.Contains(err.Error(), "postgres.log") {
		t.Errorf("got %v", err)
	}
}

func TestOddPaths(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{
		"long":  strings.Repeat("very_long_name/", 10),
		"comma": `a, "b"`,
		"space": "кадр & co?",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(filepath.Dir(tempDir(t)), dir)
			cluster := start(t, Config{Dir: dir})
			query(t, cluster.URL(), "SELECT 'alive'")
			cfg, err := pgx.ParseConfig(cluster.URL())
			if err != nil {
				t.Fatal(err)
			}
			stop(t, cluster)
			if cfg.Host == filepath.Join(dir, "run") {
				return
			}
			if _, err := os.Stat(cfg.Host); !os.IsNotExist(err) {
				t.Errorf("%s was left behind: %v", cfg.Host, err)
			}
		})
	}
}
