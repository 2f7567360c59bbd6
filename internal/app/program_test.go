package app_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestProgram is what only the real program can show: its exit codes, its signals, its memory.
func TestProgram(t *testing.T) {
	t.Parallel()
	binary := kadr(t)
	for name, test := range map[string]func(*testing.T, string){
		"names every wrong setting":         testWrongSettings,
		"says what it cannot open":          testCannotOpen,
		"says whether it is ready":          testHealthcheck,
		"lets an upload end":                testStopLetsUploadEnd,
		"lets an upload end after a Ctrl-C": testInterruptLetsUploadEnd,
		"stops at once when asked twice":    testSecondSignal,
		"says before that it will stop":     testDelay,
		"is as the README says":             testTour,
		"is as the guide says":              testGuide,
		"needs little memory":               testMemory,
		"bears a rush":                      testRush,
		"comes back from a folder":          testBackupToFolder,
		"comes back from a tar":             testBackupToStream,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, binary)
		})
	}
}

// failing runs `kadr serve`, which must not succeed, and returns its exit code and what it said.
func failing(t *testing.T, binary string, env []string) (code int, said string) {
	t.Helper()
	p := launch(t, program{command: []string{binary, "serve"}}, env)
	code = p.wait(t)
	if out := p.stdout.String(); out != "" {
		t.Errorf("it has failed and says: %s", out)
	}
	return code, p.stderr.String()
}

func testWrongSettings(t *testing.T, binary string) {
	data, address := filepath.Join(t.TempDir(), "data"), freeAddress(t)
	code, said := failing(t, binary, []string{
		"KADR_LISTEN=" + address, "KADR_DATA_DIR=" + data,
		"KADR_MAX_PIXELS=many", "KADR_REGISTRATION=perhaps", "KADR_DATABASE_URL=mysql://root:hunter2@localhost/kadr",
	})
	if code != 2 {
		t.Errorf("exit code %d", code)
	}
	for _, name := range []string{"KADR_MAX_PIXELS", "KADR_REGISTRATION", "KADR_DATABASE_URL"} {
		if strings.Count(said, name) != 1 {
			t.Errorf("%s is not named once:\n%s", name, said)
		}
	}
	if strings.Contains(said, "hunter2") || strings.Count(said, "\n") != 4 {
		t.Errorf("a heading and a line for each, without secrets:\n%s", said)
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("it has made the data folder: %v", err)
	}
}

func testCannotOpen(t *testing.T, binary string) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	data := t.TempDir()
	code, said := failing(t, binary, []string{"KADR_LISTEN=" + taken.Addr().String(), "KADR_DATA_DIR=" + data})
	if code != 1 || !strings.Contains(said, taken.Addr().String()) || !strings.Contains(said, "address already in use") {
		t.Errorf("a port in use: exit code %d\n%s", code, said)
	}
	if left, err := os.ReadDir(data); err != nil || len(left) != 0 {
		t.Errorf("a port in use: the data folder has %v (%v)", left, err)
	}

	// Not by its mode, which is nothing to root.
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, said = failing(t, binary, []string{"KADR_LISTEN=127.0.0.1:0", "KADR_DATA_DIR=" + file + "/data"})
	if code != 1 || !strings.Contains(said, file) || !strings.Contains(said, "not a directory") {
		t.Errorf("a data folder that cannot be made: exit code %d\n%s", code, said)
	}

	code, said = failing(t, binary, []string{
		"KADR_LISTEN=127.0.0.1:0", "KADR_DATA_DIR=" + t.TempDir(), "KADR_DATABASE_URL=postgres://kadr:hunter2@" + freeAddress(t) + "/kadr",
	})
	if code != 1 || !strings.Contains(said, "connection refused") || strings.Contains(said, "hunter2") {
		t.Errorf("a database that is not there: exit code %d\n%s", code, said)
	}
	if lines := strings.Count(said, "\n"); lines > 3 {
		t.Errorf("%d lines for one fault:\n%s", lines, said)
	}
}

// testHealthcheck asks as a container does: with the settings of the server, of which one may since be wrong.
func testHealthcheck(t *testing.T, binary string) {
	server := kadrServe(t, binary)
	ask := func() (string, error) {
		cmd := exec.CommandContext(t.Context(), binary, "healthcheck")
		cmd.Env = []string{"KADR_LISTEN=" + server.listen, "KADR_MAX_PIXELS=many", "HTTP_PROXY=http://127.0.0.1:1"}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	started := start(t, server, settings(t))
	if said, err := ask(); err != nil || said != "ready\n" {
		t.Errorf("%v: %s", err, said)
	}
	started.kill()
	<-started.done
	said, err := ask()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.HasPrefix(said, "kadr: not ready: ") || strings.Count(said, "\n") != 1 {
		t.Errorf("a server that is gone: %v: %s", err, said)
	}
}
