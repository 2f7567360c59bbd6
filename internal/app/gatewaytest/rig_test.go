package gatewaytest_test

import (
	"bytes"
	"context"
	"fmt"
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

	"github.com/kadr-app/kadr/internal/httpapi/contracttest"
	"github.com/kadr-app/kadr/internal/nginxtest"
	"github.com/kadr-app/kadr/internal/testdb"
)

// patience is how long a test waits for what must happen, on a machine that is busy with other tests.
const patience = 60 * time.Second

// publicURL is where people reach the instance: nowhere, so that a link is seen to come from the setting.
const publicURL = "http://pictures.test"

var (
	program string // the real one, built once
	pages   string // the pages as the container has them
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "kadr-gatewaytest-")
	if err != nil {
		panic(err)
	}
	program, pages = filepath.Join(dir, "kadr"), filepath.Join(dir, "static")
	code := 1
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, "../../../cmd/kadr").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build kadr: %v\n%s", err, out)
	} else if err := nginxtest.Pages(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// server is one `kadr serve`, which can be started again at the same address.
type server struct {
	address string
	env     []string
	cmd     *exec.Cmd
	done    chan struct{}
	log     *record // of all its lives
}

// record is what a process says.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func (s *server) start(t *testing.T) {
	t.Helper()
	cmd := exec.Command(program, "serve")
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "KADR_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, s.env...)
	cmd.Stderr = s.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.cmd, s.done = cmd, make(chan struct{})
	done := s.done
	go func() { _ = cmd.Wait(); close(done) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
	})
	eventually(t, "the server is ready", func() bool {
		select {
		case <-done:
			t.Fatalf("the server ended at its start:\n%s", s.log)
		default:
		}
		reply, err := http.Get("http://" + s.address + "/readyz")
		if err != nil {
			return false
		}
		reply.Body.Close()
		return reply.StatusCode == http.StatusOK
	})
}

// stop is what an orchestrator does.
func (s *server) stop(t *testing.T) {
	t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
		if code := s.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("the server ended with %d:\n%s", code, s.log)
		}
	case <-time.After(patience):
		t.Fatal("the server does not end")
	}
}

// rig is the whole.
type rig struct {
	db      *testdb.DB
	storage string
	servers []*server
	gateway *nginxtest.Gateway
	nginx   *record // its error log
	http    *http.Client
}

// newRig starts it with n servers. Settings of the gateway are "NAME=value".
func newRig(t *testing.T, n int, settings ...string) *rig {
	t.Helper()
	data := t.TempDir()
	r := &rig{db: testdb.New(t), storage: filepath.Join(data, "storage"), nginx: &record{}}
	var upstream []string
	for range n {
		address := freeAddress(t)
		upstream = append(upstream, address)
		s := &server{address: address, log: &record{}, env: []string{
			"KADR_LISTEN=" + address, "KADR_PUBLIC_URL=" + publicURL, "KADR_DATA_DIR=" + data, "KADR_DATABASE_URL=" + r.db.URL,
			"KADR_DATABASE_MAX_CONNS=6", "KADR_DECODERS=1", "KADR_DELIVERY=accel", "KADR_TRUSTED_PROXIES=127.0.0.0/8",
			"KADR_SHUTDOWN_DELAY=500ms", "KADR_LOG_FORMAT=json", "KADR_SWEEP_INTERVAL=1h",
		}}
		s.start(t)
		r.servers = append(r.servers, s)
	}
	r.gateway = nginxtest.Run(t, nginxtest.Config{
		Upstream: strings.Join(upstream, " "), Storage: r.storage, Static: pages, AccessLog: true, Workers: 2, Log: r.nginx, Settings: settings,
	})
	r.http = clientTo(t, r.gateway.Address)
	return r
}

// clientTo returns a client for which every host is at one address. Every exchange is held against the contract.
func clientTo(t *testing.T, address string) *http.Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		},
		MaxIdleConnsPerHost: 16, DisableCompression: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: contracttest.For(t, transport), Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
