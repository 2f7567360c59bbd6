package app_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/postgres"
	"github.com/kadr-app/kadr/internal/testdb"
)

// What a round is made of.
const (
	crashClients  = 8
	crashAccounts = 5 // fewer, so that some clients are at work in one account
	crashUploads  = 200
)

// TestCrash kills the server with signal 9 at a random moment of 200 uploads, and deletions among them, by 8 clients; and
// again and again. The database is another machine's, so to speak, and goes on.
func TestCrash(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	c := newCrash(t, settings(t, "KADR_DATABASE_URL="+db.URL))
	c.unfinished = map[string]*unfinished{}
	for i := range crashRounds(t, 2) {
		c.load((*process).kill)
		if i%2 == 1 { // a sweep may be interrupted too
			s := start(t, testServer(), c.sweeping())
			time.Sleep(time.Duration(c.rng.IntN(2000)) * time.Millisecond)
			s.kill()
		}
		s := start(t, testServer(), c.sweeping())
		c.checkPictures(s.addr)
		c.checkStores()
		c.resume(s.addr)
		c.checkPictures(s.addr)

		// Uploads that were interrupted between their reservation and their row hold their bytes for a while. That passes.
		if _, err := db.Pool.Exec(t.Context(), `UPDATE blobs SET reserved_until = now()`); err != nil {
			t.Fatal(err)
		}
		eventually(t, "what interrupted uploads had reserved is gone", func() bool {
			var left int
			err := db.Pool.QueryRow(t.Context(), `SELECT (SELECT coalesce(sum(uploads), 0) FROM blobs)
				+ (SELECT count(*) FROM blobs b WHERE NOT EXISTS (SELECT FROM images i WHERE i.ref = b.ref))`).Scan(&left)
			return err == nil && left == 0
		})
		c.checkStores()
		s.stop(t)
	}
}

// TestCrashPrivateDatabase does the same where the database is the server's own and goes down with it: at first because
// its parent dies, the next time killed at the same moment, as when a container is.
func TestCrashPrivateDatabase(t *testing.T) {
	t.Parallel()
	c := newCrash(t, settings(t, "KADR_DATABASE_URL="))
	for i := range (crashRounds(t, 4) + 1) / 2 {
		c.load(func(s *process) {
			pid := postmaster(t, setting(c.env, "KADR_DATA_DIR"))
			if i%2 == 1 {
				s.signal(syscall.SIGKILL)
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			s.kill()
			eventually(t, "the database has ended with its server", func() bool { return !alive(pid) })
		})
		s := start(t, testServer(), c.sweeping())
		c.checkPictures(s.addr)
		c.checkStores()
		s.stop(t)
	}
}

// crashRounds is how often the server is killed: short, or KADR_CRASH_ROUNDS, which `make test-crash` sets.
func crashRounds(t *testing.T, short int) int {
	t.Helper()
	text, set := os.LookupEnv("KADR_CRASH_ROUNDS")
	if !set {
		return short
	}
	rounds, err := strconv.Atoi(text)
	if err != nil || rounds < 1 {
		t.Fatalf("KADR_CRASH_ROUNDS=%q", text)
	}
	return rounds
}

// postmaster returns the process id of the private database.
func postmaster(t *testing.T, data string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "postgres", "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// crash is an instance that is killed, and what it has promised.
type crash struct {
	t    *testing.T
	env  []string
	rng  *rand.Rand // for the test's own goroutine
	keys []string   // of the accounts

	mu       sync.Mutex
	files    []*sent          // everything that was ever sent
	promised map[string]*kept // by id
	own      [][]*kept        // by account
	// unfinished are the uploads in parts, by id; nil where there are none.
	unfinished map[string]*unfinished
}

// sent is a file that was uploaded, whether or not anybody heard back.
type sent struct {
	bytes   []byte
	private bool // what comes back is not the same bytes
}

// kept is a picture whose upload was acknowledged.
type kept struct {
	picture
	file  *sent
	owner int
	state state
	sum   [32]byte // of what came back first, where that is not what was sent
}

// state is what the client knows.
type state int

const (
	living   state = iota
	deleting       // it was asked to go, and nobody heard the answer
	deleted
)

func newCrash(t *testing.T, env []string) *crash {
	t.Helper()
	seed := rand.Uint64()
	if text, set := os.LookupEnv("KADR_CRASH_SEED"); set {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("KADR_CRASH_SEED=%q", text)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("KADR_CRASH_SEED=%d makes the same choices, and the processes' timing differs all the same", seed)
		}
	})
	return &crash{
		t: t, env: env, rng: rand.New(rand.NewPCG(seed, 0)),
		promised: map[string]*kept{}, own: make([][]*kept, crashAccounts),
	}
}

// load starts a server, has it kept busy, and ends it in the middle.
func (c *crash) load(end func(*process)) {
	c.t.Helper()
	s := start(c.t, testServer(), c.env)
	if c.keys == nil {
		withDatabase(c.t, c.env, func(db *postgres.DB) { c.keys = newKeys(c.t, db, crashAccounts) })
	}
	var begun, acknowledged atomic.Int64
	var killed atomic.Bool
	transport := newTransport(c.t)
	var clients sync.WaitGroup
	for i := range crashClients {
		account := i % crashAccounts
		rng := rand.New(rand.NewPCG(c.rng.Uint64(), 0))
		w := newCrashClient(c, s.addr, account, rng, transport)
		clients.Go(func() {
			for begun.Add(1) <= crashUploads {
				if err := w.step(&acknowledged); err != nil {
					if refused := (*refusal)(nil); errors.As(err, &refused) || !killed.Load() {
						c.t.Errorf("before the server was killed: %v", err)
					}
					return
				}
			}
		})
	}
	moment := int64(1 + c.rng.IntN(crashUploads-crashClients))
	pause := time.Duration(c.rng.IntN(20_000)) * time.Microsecond
	eventually(c.t, "enough was uploaded", func() bool { return acknowledged.Load() >= moment || c.t.Failed() })
	time.Sleep(pause)
	killed.Store(true)
	end(s)
	clients.Wait()
	c.t.Logf("killed after %d acknowledged uploads", acknowledged.Load())
}

// file returns something to send: one time in five what was sent before.
func (c *crash) file(rng *rand.Rand) *sent {
	c.mu.Lock()
	if n := len(c.files); n > 0 && rng.IntN(5) == 0 {
		defer c.mu.Unlock()
		return c.files[rng.IntN(n)]
	}
	c.mu.Unlock()
	f := &sent{private: rng.IntN(4) == 0}
	f.bytes = newPicture(rng, f.private)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files = append(c.files, f)
	return f
}

// acknowledge notes a picture that the server has promised to keep.
func (c *crash) acknowledge(p picture, f *sent, owner int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.promised[p.ID] == nil { // otherwise it was there already, and by now may be deleted again
		k := &kept{picture: p, file: f, owner: owner}
		c.promised[p.ID] = k
		c.own[owner] = append(c.own[owner], k)
	}
}

// victim picks a living picture of an account, if it has any, and notes that it is to go.
func (c *crash) victim(rng *rand.Rand, owner int) *kept {
	c.mu.Lock()
	defer c.mu.Unlock()
	own := c.own[owner]
	if len(own) == 0 {
		return nil
	}
	from := rng.IntN(len(own))
	i := slices.IndexFunc(own[from:], func(k *kept) bool { return k.state == living })
	if i < 0 {
		return nil
	}
	own[from+i].state = deleting
	return own[from+i]
}

func (c *crash) gone(k *kept) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k.state = deleted
}
