package app_test

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/testdb"
)

// patience is how long a test waits for what must happen, on a machine that is busy with other tests.
const patience = 60 * time.Second

// readyLine begins the line in which a server says that it serves; `kadr serve` has another.
const readyLine = "serving on"

// program is a way to start a server.
type program struct {
	command  []string
	variable string // is set for it
	ready    string // is in the line that says that it serves
	listen   string // is what it listens on; empty where the line says it
}

// testServer is the test binary as a server.
func testServer() program {
	return program{command: []string{os.Args[0]}, variable: serveVariable + "=1", ready: readyLine}
}

// kadr builds the real thing; it goes with the test.
func kadr(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "kadr")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "../../cmd/kadr").CombinedOutput()
	if err != nil {
		t.Fatalf("build kadr: %v\n%s", err, out)
	}
	return binary
}

// kadrServe is `kadr serve` on a port that was free a moment ago.
func kadrServe(t *testing.T, binary string) program {
	t.Helper()
	return program{command: []string{binary, "serve"}, ready: "is ready.", listen: freeAddress(t)}
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

// settings are an instance's environment: each test's own database and folder, and little in the log.
func settings(t *testing.T, more ...string) []string {
	t.Helper()
	return append([]string{
		"KADR_LISTEN=127.0.0.1:0", "KADR_DATA_DIR=" + t.TempDir(), "KADR_DATABASE_URL=" + testdb.New(t).URL,
		"KADR_LOG_LEVEL=warn", "KADR_SWEEP_INTERVAL=1h",
	}, more...)
}

// setting returns the value of one of the settings; the last one counts.
func setting(env []string, name string) (value string) {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			value = v
		}
	}
	return value
}

// process is a server in a process, and a process group, of its own.
type process struct {
	cmd    *exec.Cmd
	addr   string
	stdout *output
	stderr *output
	done   chan struct{}
	err    error // what Wait returned, once done is closed
}

// start starts a server and returns when it serves. It is killed at the latest when the test ends.
func start(t *testing.T, p program, env []string) *process {
	t.Helper()
	started := launch(t, p, env)
	deadline := time.After(patience)
	select {
	case line := <-started.stdout.found:
		started.addr = p.listen
		if p.listen == "" {
			started.addr = strings.TrimSpace(strings.TrimPrefix(line, readyLine))
		}
	case <-started.done:
		t.Fatalf("the server ended at its start: %v\n%s", started.err, started.stderr)
	case <-deadline:
		t.Fatalf("the server does not say that it serves\n%s", started.stderr)
	}
	return started
}

// launch starts a program and returns at once.
func launch(t *testing.T, p program, env []string) *process {
	t.Helper()
	cmd := exec.Command(p.command[0], p.command[1:]...)
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "KADR_") && !strings.HasPrefix(e, "OTEL_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(append(cmd.Env, "GORACE=atexit_sleep_ms=20"), env...)
	if p.variable != "" {
		cmd.Env = append(cmd.Env, p.variable)
	}
	if p.listen != "" {
		cmd.Env = append(cmd.Env, "KADR_LISTEN="+p.listen)
	}
	cmd.SysProcAttr = ownGroup()
	if setting(env, diskVariable) != "" {
		ownMounts(cmd.SysProcAttr)
	}
	s := &process{
		cmd: cmd, stdout: &output{wanted: p.ready, found: make(chan string, 1)}, stderr: &output{}, done: make(chan struct{}),
	}
	cmd.Stdout, cmd.Stderr = s.stdout, s.stderr
	cmd.WaitDelay = 10 * time.Second // its children may hold its output for a moment longer
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan error, 1)
	go func() {
		// The thread that starts it has to live as long as it does; see ownGroup.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			s.err = cmd.Wait()
			close(s.done)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.signal(syscall.SIGKILL)
		<-s.done
		_ = stdin.Close()
		if said := s.stderr.String(); strings.Contains(said, "DATA RACE") {
			t.Errorf("the server raced:\n%s", said)
		} else if t.Failed() {
			t.Logf("the server said:\n%s", said)
		}
	})
	return s
}

func (s *process) pid() int { return s.cmd.Process.Pid }

// signal sends one to the process alone.
func (s *process) signal(sig syscall.Signal) { _ = s.cmd.Process.Signal(sig) }

// signalGroup sends one to the process and its children, as a terminal does.
func (s *process) signalGroup(sig syscall.Signal) { _ = syscall.Kill(-s.pid(), sig) }

// kill is kill -9, and waits until the process is gone.
func (s *process) kill() {
	s.signal(syscall.SIGKILL)
	<-s.done
}

// wait returns the exit code; -1 when a signal ended the process.
func (s *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-s.done:
	case <-time.After(patience):
		t.Fatalf("the server does not end\n%s", s.stderr)
	}
	return s.cmd.ProcessState.ExitCode()
}

// stop ends the server gently, which has to succeed.
func (s *process) stop(t *testing.T) {
	t.Helper()
	s.signal(syscall.SIGTERM)
	if code := s.wait(t); code != 0 {
		t.Errorf("the server ended with %d\n%s", code, s.stderr)
	}
}

// output keeps what a process says, and sends the first line that has the wanted text to found.
type output struct {
	wanted string
	found  chan string

	mu   sync.Mutex
	text strings.Builder
	sent bool
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	if o.wanted != "" && !o.sent {
		lines := bufio.NewReader(strings.NewReader(o.text.String()))
		for line, err := lines.ReadString('\n'); err != io.EOF; line, err = lines.ReadString('\n') {
			if strings.Contains(line, o.wanted) && !o.sent {
				o.sent = true
				o.found <- line
			}
		}
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// eventually waits for what comes about elsewhere.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
