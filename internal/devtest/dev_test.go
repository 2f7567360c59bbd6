package devtest_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/testdb"
)

// patience is how long one build may take on a machine that is busy with other tests. Nothing here asserts a time.
const patience = 3 * time.Minute

// TestDevReloads runs `make dev` and changes a page, the contract and a source, each of which has to be seen in what the
// server answers.
func TestDevReloads(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	d.waitFor("the first build", "/readyz", `"database":"ok"`)

	d.change("static/css/base.css", "", "/* changed-page */\n")
	d.waitFor("a change of a page", "/css/base.css", "changed-page")

	d.change("api/openapi.yaml", "Is the process alive", "Is the process changed-contract")
	d.waitFor("a change of the contract", "/openapi.yaml", "changed-contract")
	if server := d.read("gen/server/server.gen.go"); !strings.Contains(server, "changed-contract") {
		t.Error("the server's code was not generated again")
	}
	d.wait("the client to be generated again", func() bool {
		return strings.Contains(d.read("gen/client/client.gen.go"), "changed-contract")
	})

	d.change("internal/httpapi/problem.go", "There is nothing here.", "There is changed-source here.")
	d.waitFor("a change of a source", "/no/such/page", "changed-source")

	// What does not build is told, and the one that does comes next.
	d.change("internal/httpapi/problem.go", `"There is changed-source here."`, "aFault")
	d.wait("the fault to be told", func() bool { return strings.Contains(d.said.String(), "undefined: aFault") })
	d.change("internal/httpapi/problem.go", "aFault", `"There is a mended-source here."`)
	d.waitFor("a mended source", "/no/such/page", "mended-source")
}

// dev is a `make dev` at work.
type dev struct {
	t          *testing.T
	root, base string
	said       *output
	ended      chan struct{}
}

func startDev(t *testing.T) *dev {
	t.Helper()
	address := freeAddress(t)
	d := &dev{t: t, root: copyRepository(t), base: "http://" + address, said: &output{}, ended: make(chan struct{})}
	cmd := exec.Command("make", "--no-print-directory", "dev")
	cmd.Dir = d.root
	cmd.Env = append(os.Environ(), "KADR_NO_INSTALL=1", "KADR_LISTEN="+address, "KADR_PUBLIC_URL="+d.base,
		"KADR_DATA_DIR="+t.TempDir(), "KADR_DATABASE_URL="+testdb.New(t).URL, "KADR_DECODERS=1", "KADR_LOG_LEVEL=warn")
	cmd.Stdout, cmd.Stderr = d.said, d.said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for all of it
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // ended by a signal
		close(d.ended)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		select {
		case <-d.ended:
		case <-time.After(30 * time.Second):
			t.Error("make dev does not end")
		}
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if t.Failed() {
			t.Logf("make dev said:\n%s", d.said)
		}
	})
	return d
}

// copyRepository copies what a developer has, without what was built.
func copyRepository(t *testing.T) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "kadr")
	if err := os.Mkdir(to, 0o755); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		switch e.Name() {
		case ".git", "bin", "build", "data", "api":
			continue
		}
		run(t, "cp", "-Rp", filepath.Join("../..", e.Name()), to)
	}
	// The packages of npm stay where they are, and what is made by them is left as it is.
	run(t, "mkdir", filepath.Join(to, "api"))
	files, err := filepath.Glob("../../api/*.*")
	if err != nil {
		t.Fatal(err)
	}
	run(t, "cp", append(append([]string{"-p"}, files...), filepath.Join(to, "api"))...)
	return to
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func (d *dev) read(name string) string {
	d.t.Helper()
	b, err := os.ReadFile(filepath.Join(d.root, name))
	if err != nil {
		d.t.Fatal(err)
	}
	return string(b)
}

// change replaces a text in a file, or puts the new one at its end.
func (d *dev) change(name, old, changed string) {
	d.t.Helper()
	text := d.read(name)
	if old == "" {
		text += changed
	} else if text = strings.Replace(text, old, changed, 1); !strings.Contains(text, changed) {
		d.t.Fatalf("%s has no %q", name, old)
	}
	if err := os.WriteFile(filepath.Join(d.root, name), []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// waitFor waits until the server's answer has a text in it.
func (d *dev) waitFor(what, path, text string) {
	d.t.Helper()
	began := time.Now()
	d.wait(what, func() bool {
		r, err := http.Get(d.base + path)
		if err != nil {
			return false
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		return err == nil && bytes.Contains(b, []byte(text))
	})
	d.t.Logf("%s: %.1f s", what, time.Since(began).Seconds())
}

func (d *dev) wait(what string, ok func() bool) {
	d.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(50 * time.Millisecond) {
		select {
		case <-d.ended:
			d.t.Fatalf("make dev ended while it was waited for: %s", what)
		default:
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("waited in vain for: %s", what)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// output is what a program says, read while it does.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
