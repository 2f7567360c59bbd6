package app_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/postgres"
	"github.com/kadr-app/kadr/internal/postgres/embedded"
)

// goneRounds is how often the database is killed under a running server.
const goneRounds = 3

// ownDatabase is a PostgreSQL that a test may kill.
type ownDatabase struct {
	t       *testing.T
	data    string // a data folder, as a server has it
	cluster *embedded.Cluster
}

func newOwnDatabase(t *testing.T) *ownDatabase {
	t.Helper()
	data, err := os.MkdirTemp("", "kadr-gone-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(data) })
	if err := os.Chmod(data, 0o755); err != nil { // the database may be another user's
		t.Fatal(err)
	}
	d := &ownDatabase{t: t, data: data}
	d.start()
	t.Cleanup(d.stop)
	return d
}

func (d *ownDatabase) start() {
	d.t.Helper()
	var err error
	if d.cluster, err = embedded.Start(context.WithoutCancel(d.t.Context()), embedded.Config{Dir: filepath.Join(d.data, "postgres")}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *ownDatabase) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = d.cluster.Stop(ctx) // it may have been killed
}

// kill is kill -9, after which the address answers nobody.
func (d *ownDatabase) kill() {
	_ = syscall.Kill(postmaster(d.t, d.data), syscall.SIGKILL)
	<-d.cluster.Done()
	d.stop()
}

// signalAll sends a signal to the server and all of its processes.
func (d *ownDatabase) signalAll(sig syscall.Signal) {
	pid := postmaster(d.t, d.data)
	for child := range children(d.t, pid) {
		_ = syscall.Kill(child, sig)
	}
	_ = syscall.Kill(pid, sig)
}

// TestDatabaseGone kills a database under a server that is kept busy, and starts it again, some times; nothing that was
// acknowledged may be missing, and the server has to find its way back by itself.
func TestDatabaseGone(t *testing.T) {
	t.Parallel()
	d := newOwnDatabase(t)
	c := newCrash(t, settings(t, "KADR_DATABASE_URL="+d.cluster.URL()))
	s := start(t, testServer(), c.env)
	c.survive(s, func(round int) {
		d.kill()
		if round == 0 {
			wantGone(t, client{http: &http.Client{Transport: newTransport(t)}, base: "http://" + s.addr, key: c.keys[0]})
		}
		d.start()
	})
	said := s.stderr.String()
	if n := strings.Count(said, "request turned away"); n == 0 || n > 40 {
		t.Errorf("%d requests were turned away, by the log", n)
	}
	if strings.Contains(said, d.cluster.URL()) || strings.Contains(said, "request failed") {
		t.Errorf("it said:\n%s", said)
	}
}

// TestDatabaseStopped is about a database that is there and says nothing: a machine that is cut off looks the same.
func TestDatabaseStopped(t *testing.T) {
	t.Parallel()
	d := newOwnDatabase(t)
	env := settings(t, "KADR_DATABASE_URL="+d.cluster.URL())
	s := start(t, testServer(), env)
	c := newClients(t, env, s.addr, 1)[0]
	rng := rand.New(rand.NewPCG(8, 8))
	_, kept, err := c.uploadBytes(t.Context(), "", newPicture(rng, false))
	if err != nil {
		t.Fatal(err)
	}
	u := startUpload(t, c)
	d.signalAll(syscall.SIGSTOP)
	resume := sync.OnceFunc(func() { d.signalAll(syscall.SIGCONT) })
	t.Cleanup(resume)
	u.finish()
	wantGone(t, *c)
	if r := <-u.reply; r.status != http.StatusServiceUnavailable {
		t.Errorf("the upload under way: %d, %v", r.status, r.err)
	}
	resume()
	eventually(t, "the server works again", func() bool {
		status, _, err := c.uploadBytes(t.Context(), "", newPicture(rng, false))
		return err == nil && status == http.StatusCreated
	})
	if status, _, _, err := c.fetch(t.Context(), kept.URL); err != nil || status != http.StatusOK {
		t.Errorf("the picture: %d, %v", status, err)
	}
	wantReady(t, c, http.StatusOK)
	s.stop(t)
}

// TestPrivateDatabaseGone kills the server's own database, which the server starts again.
func TestPrivateDatabaseGone(t *testing.T) {
	t.Parallel()
	c := newCrash(t, settings(t, "KADR_DATABASE_URL="))
	s := start(t, testServer(), c.env)
	c.survive(s, func(int) {
		pid := postmaster(t, setting(c.env, "KADR_DATA_DIR"))
		_ = syscall.Kill(pid, syscall.SIGKILL)
		eventually(t, "the database has ended", func() bool { return !alive(pid) })
	})
	if !strings.Contains(s.stderr.String(), "is started again") {
		t.Errorf("the database was not started again:\n%s", s.stderr)
	}
}

// survive has a server kept busy while its database is hit, and looks at what is left then.
func (c *crash) survive(s *process, hit func(round int)) {
	c.t.Helper()
	withDatabase(c.t, c.env, func(db *postgres.DB) { c.keys = newKeys(c.t, db, crashAccounts) })
	var acknowledged, refused atomic.Int64
	var over atomic.Bool
	transport := newTransport(c.t)
	var clients sync.WaitGroup
	defer clients.Wait()
	defer over.Store(true)
	for i := range crashClients {
		w := newCrashClient(c, s.addr, i%crashAccounts, rand.New(rand.NewPCG(c.rng.Uint64(), 0)), transport)
		clients.Go(func() {
			for !over.Load() {
				err := w.step(&acknowledged)
				var r *refusal
				switch {
				case err == nil:
				case errors.As(err, &r) && r.status == http.StatusServiceUnavailable && (r.code == "database_unavailable" || strings.HasPrefix(r.text, "delete ")):
					refused.Add(1)
					time.Sleep(50 * time.Millisecond)
				default:
					c.t.Errorf("an upload or deletion: %v", err)
					return
				}
			}
		})
	}
	for round := range goneRounds {
		before := acknowledged.Load()
		eventually(c.t, "uploads go well", func() bool { return acknowledged.Load() >= before+20 || c.t.Failed() })
		before = refused.Load()
		hit(round)
		eventually(c.t, "uploads were refused", func() bool { return refused.Load() > before || c.t.Failed() })
	}
	before := acknowledged.Load()
	eventually(c.t, "uploads go well again", func() bool { return acknowledged.Load() >= before+20 || c.t.Failed() })
	over.Store(true)
	clients.Wait()
	c.t.Logf("%d uploads were acknowledged, %d refused", acknowledged.Load(), refused.Load())
	wantReady(c.t, &client{http: &http.Client{Transport: newTransport(c.t)}, base: "http://" + s.addr}, http.StatusOK, `"database":"ok"`)
	s.stop(c.t)
	s = start(c.t, testServer(), c.sweeping())
	c.checkPictures(s.addr)
	c.checkStores()
	s.stop(c.t)
}

// wantGone asks everything of a server whose database does not answer.
func wantGone(t *testing.T, c client) {
	t.Helper()
	ctx := t.Context()
	eventually(t, "it is noticed", func() bool {
		status, _, _, err := c.do(ctx, http.MethodGet, "/api/v1/account", nil)
		return err != nil || status == http.StatusServiceUnavailable
	})
	stranger := client{http: c.http, base: c.base}
	var asked sync.WaitGroup
	for _, r := range []struct {
		c                  client
		method, path, body string
	}{
		{c, http.MethodGet, "/api/v1/account", ""},
		{c, http.MethodGet, "/api/v1/images", ""},
		{c, http.MethodDelete, "/api/v1/images/aaaaaaaaaaaaa", ""},
		{c, http.MethodPost, "/api/v1/images", "not looked at"},
		{stranger, http.MethodGet, "/api/v1/feed", ""},
		{stranger, http.MethodGet, "/i/aaaaaaaaaaaaa.jpg", ""},
		{stranger, http.MethodPost, "/api/v1/sessions", `{"name":"anna","password":"a long and private sentence"}`},
		{stranger, http.MethodPost, "/api/v1/accounts", `{"name":"anna","password":"a long and private sentence"}`},
	} {
		asked.Go(func() {
			mediaType := "application/json"
			if strings.HasSuffix(r.path, "/images") {
				mediaType = "application/octet-stream"
			}
			began := time.Now()
			var status int
			var header http.Header
			var reply []byte
			var err error
			if r.body == "" {
				status, header, reply, err = r.c.send(ctx, r.method, r.path, "", nil)
			} else {
				status, header, reply, err = r.c.send(ctx, r.method, r.path, mediaType, strings.NewReader(r.body))
			}
			if err != nil || status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" || !strings.Contains(string(reply), "database_unavailable") {
				t.Errorf("%s %s: %d %s %v", r.method, r.path, status, reply, err)
			}
			if took := time.Since(began); took > patience/2 {
				t.Errorf("%s %s took %s", r.method, r.path, took)
			}
		})
	}
	for _, path := range []string{"/p/aaaaaaaaaaaaa", "/u/anna"} { // pages too, and as pages
		asked.Go(func() {
			status, header, reply, err := stranger.send(ctx, http.MethodGet, path, "", nil)
			if err != nil || status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" || header.Get("Cache-Control") != "no-store" ||
				!strings.HasPrefix(header.Get("Content-Type"), "text/html") || !strings.Contains(string(reply), `id="kadr-data">{"status":503,"request_id":"`) {
				t.Errorf("%s: %d %v %s %v", path, status, header, reply, err)
			}
		})
	}
	asked.Wait()
	wantReady(t, &c, http.StatusServiceUnavailable, `"database":"failing"`, `"storage":"ok"`)
	for _, path := range []string{"/healthz", "/", "/pictures", "/openapi.yaml", "/docs"} {
		if status, _, _, err := c.do(ctx, http.MethodGet, path, nil); err != nil || status != http.StatusOK {
			t.Errorf("%s: %d, %v", path, status, err)
		}
	}
}
