package deploy_test

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kadr-app/kadr/internal/postgres/embedded"
	"github.com/kadr-app/kadr/internal/testdb"
)

// secrets runs the service's own script in a folder of the test's, with its standard input.
func secrets(t *testing.T, dir, input string, args ...string) (output string, err error) {
	t.Helper()
	line := load(t).Services["secrets"].Entrypoint
	script := strings.NewReplacer("$$", "$", "cd /var/lib/postgresql/data", "cd '"+dir+"'", "chgrp 10001", "chgrp "+strconv.Itoa(os.Getgid())).Replace(line[2])
	cmd := exec.CommandContext(t.Context(), line[0], append([]string{line[1], script, line[3]}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestSecretsAreMadeOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "database-password")
	step := func(input string, args ...string) string {
		t.Helper()
		if out, err := secrets(t, dir, input, args...); err != nil || out != "" {
			t.Fatalf("secrets %q: %v\n%s", args, err, out)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	first := step("")
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{32}\n$`).MatchString(first) {
		t.Errorf("the first password has %d characters, or some that a URL cannot hold", len(first))
	}
	if again := step(""); again != first {
		t.Error("the second start made another password")
	}
	second := step("", "new")
	if second == first || len(second) != len(first) {
		t.Error("no new password was made")
	}
	if given := step("given by hand", "set"); given != "given by hand" || step("") != given {
		t.Errorf("the password that was given is %q", given)
	}
	for _, args := range [][]string{{"set"}, {"get"}} {
		if out, err := secrets(t, dir, "", args...); err == nil || out == "" {
			t.Errorf("secrets %q: %v, %q", args, err, out)
		}
	}
	if step("") != "given by hand" {
		t.Error("what failed has changed the password")
	}
	for name, mode := range map[string]os.FileMode{".": os.ModeDir | os.ModeSetgid | 0o750, "database-password": 0o640, "kadr.sql": 0o640} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v, want %v", name, info.Mode(), err, mode)
		}
	}
}

// The statements that the service leaves are run here as the database's image runs them, in a cluster of their own.
func TestSecretsMakeTheDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, err := secrets(t, dir, ""); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "kadr.sql"))
	if err != nil {
		t.Fatal(err)
	}
	// The role that makes a private cluster is called as this one.
	statements := strings.NewReplacer("/docker-entrypoint-initdb.d", dir, "'kadr'", "'sample'", "ROLE kadr", "ROLE sample",
		"DATABASE kadr OWNER kadr", "DATABASE sample OWNER sample").Replace(string(text))

	server, err := testdb.StartServer(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	installed, err := embedded.FindBinaries(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	run := func(statements string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), installed[0].Path("psql"), "-qAtX", "-v", "ON_ERROR_STOP=1", "-f", "-", server.URL())
		cmd.Stdin = strings.NewReader(statements)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	password := func() string {
		t.Helper()
		return run(`SELECT rolpassword FROM pg_authid WHERE rolname = 'sample'`)
	}
	run(`CREATE ROLE postgres SUPERUSER LOGIN PASSWORD 'secret'`)
	if said := run(statements); said != "" {
		t.Errorf("it says: %s", said)
	}
	first := password()
	if out, err := secrets(t, dir, "", "new"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run(statements)
	if second := password(); !strings.HasPrefix(first, "SCRAM-SHA-256$") || !strings.HasPrefix(second, "SCRAM-SHA-256$") || first == second {
		t.Error("the role did not get the first password, or not the second")
	}
	got := run(`SELECT rolname, rolcanlogin, rolsuper, rolpassword IS NULL FROM pg_authid WHERE rolname IN ('sample', 'postgres') ORDER BY 1;
		SELECT datname, pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'sample'`)
	if diff := cmp.Diff("postgres|t|t|t\nsample|t|f|f\nsample|sample\n", got); diff != "" {
		t.Errorf("roles and database are others (-want +got):\n%s", diff)
	}
}
