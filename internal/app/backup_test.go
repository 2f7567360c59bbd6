package app_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/postgres"
	"github.com/kadr-app/kadr/internal/testdb"
)

// testBackupToFolder backs a server under load up into a folder, kills backups and restores on the way, and has another
// instance made of it, whose database is on a server too.
func testBackupToFolder(t *testing.T, binary string) {
	l := startLoad(t, settings(t))
	folder := filepath.Join(t.TempDir(), "backups")
	for range 3 {
		l.until(t, 30)
		killSoon(t, l.rng, binary, l.env, "backup", folder)
	}
	if said, code := command(t, binary, l.env, nil, nil, "restore", folder); code != 1 || !strings.Contains(said, "in use") {
		t.Errorf("a restore over a running server ends with %d: %s", code, said)
	}
	l.until(t, 50)
	end := completeUntil(t, binary, l.env, nil, "backup", "--keep=2", folder)
	l.until(t, 20) // what comes too late
	l.stop()

	env := settings(t, "KADR_DATABASE_URL="+testdb.NewEmpty(t).URL)
	for range 3 {
		killSoon(t, l.rng, binary, env, "restore", "--force", folder)
	}
	if said, code := command(t, binary, env, nil, nil, "restore", "--force", folder); code != 0 {
		t.Fatalf("restore ends with %d: %s", code, said)
	}
	refusedBesideRestore(t, binary, env)
	if said, code := command(t, binary, env, nil, nil, "restore", folder); code != 1 || !strings.Contains(said, "not empty") {
		t.Errorf("a restore over an instance ends with %d: %s", code, said)
	}
	l.check(t, binary, env, end)
}

// testBackupToStream does the same through a pipe, for an instance with a private database.
func testBackupToStream(t *testing.T, binary string) {
	l := startLoad(t, settings(t, "KADR_DATABASE_URL="))
	l.until(t, 60)
	archive := filepath.Join(t.TempDir(), "backup.tar")
	out, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	end := completeUntil(t, binary, l.env, out, "backup", "-")
	l.stop()
	if err := os.RemoveAll(setting(l.env, "KADR_DATA_DIR")); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if said, code := command(t, binary, l.env, in, nil, "restore", "-"); code != 0 {
		t.Fatalf("restore ends with %d: %s", code, said)
	}
	l.check(t, binary, l.env, end)
}

// refusedBesideRestore starts a server while a restore waits for its archive.
func refusedBesideRestore(t *testing.T, binary string, env []string) {
	t.Helper()
	var stop func()
	begin := func() (ended <-chan struct{}) {
		cmd := commandOf(binary, env, "restore", "-")
		stdin, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = cmd.Wait() // it fails, for there is no archive
		}()
		stop = func() {
			_ = stdin.Close()
			<-done
		}
		return done
	}
	ended := begin()
	defer func() { stop() }()
	eventually(t, "the restore is at work", func() bool {
		select {
		case <-ended: // the doctor was there first
			ended = begin()
			time.Sleep(100 * time.Millisecond)
		default:
		}
		said, code := command(t, binary, env, nil, nil, "doctor")
		return code == 1 && strings.Contains(said, "the storage is in use")
	})
	if code, said := failing(t, binary, append(env, "KADR_LISTEN="+freeAddress(t))); code != 1 || !strings.Contains(said, "in use") {
		t.Errorf("a server beside a restore ends with %d: %s", code, said)
	}
}

// command runs the program to its end and returns what it said, and its exit code.
func command(t *testing.T, binary string, env []string, stdin, stdout *os.File, args ...string) (said string, code int) {
	t.Helper()
	cmd := commandOf(binary, env, args...)
	var text output
	cmd.Stdout, cmd.Stderr = &text, &text
	if stdin != nil {
		cmd.Stdin = stdin
	}
	if stdout != nil {
		cmd.Stdout = stdout
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return text.String(), cmd.ProcessState.ExitCode()
}

func commandOf(binary string, env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Env = append(append(os.Environ(), env...), "KADR_LISTEN=127.0.0.1:0")
	return cmd
}

// killSoon starts the program and kills it, most often in the middle of its work.
func killSoon(t *testing.T, rng *rand.Rand, binary string, env []string, args ...string) {
	t.Helper()
	cmd := commandOf(binary, env, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration(20+rng.IntN(300)) * time.Millisecond)
	_ = cmd.Process.Kill() // it may have ended
	_ = cmd.Wait()
}

var completeLine = regexp.MustCompile(`acknowledged before (\S+ \S+Z) is in it`)

// completeUntil makes a backup and returns the time before which everything is in it, which is its end or nearly so.
func completeUntil(t *testing.T, binary string, env []string, stdout *os.File, args ...string) time.Time {
	t.Helper()
	said, code := command(t, binary, env, nil, stdout, args...)
	ended := time.Now()
	found := completeLine.FindStringSubmatch(said)
	if code != 0 || found == nil {
		t.Fatalf("backup ends with %d: %s", code, said)
	}
	end, err := time.Parse("2006-01-02 15:04:05.000Z", found[1])
	if err != nil {
		t.Fatal(err)
	}
	if late := ended.Sub(end); late > 5*time.Second || late < 0 {
		t.Errorf("it is complete until %s before its end", late)
	}
	return end
}

// loaded is an instance under load, and what it has promised when.
type loaded struct {
	*crash
	server       *process
	upload       string // in parts, and never finished
	acknowledged atomic.Int64
	stopping     atomic.Bool
	clients      sync.WaitGroup

	mu    sync.Mutex
	times map[*kept]moments
}

// moments of a picture's life; zero for what has not happened.
type moments struct{ uploaded, deleting, deleted time.Time }

func startLoad(t *testing.T, env []string) *loaded {
	t.Helper()
	var err error
	l := &loaded{crash: newCrash(t, env), times: map[*kept]moments{}}
	l.server = start(t, testServer(), env)
	withDatabase(t, env, func(db *postgres.DB) { l.keys = newKeys(t, db, crashAccounts) })
	transport := newTransport(t)
	owner := client{http: &http.Client{Transport: transport}, base: "http://" + l.server.addr, key: l.keys[0]}
	if _, l.upload, err = owner.begin(t.Context(), 1000); err == nil {
		_, err = owner.part(t.Context(), l.upload, 0, bytes.NewReader(make([]byte, 500)))
	}
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		w := newCrashClient(l.crash, l.server.addr, i%crashAccounts, rand.New(rand.NewPCG(l.rng.Uint64(), 0)), transport)
		l.clients.Go(func() {
			for !l.stopping.Load() && !t.Failed() {
				if err := l.step(w); err != nil {
					t.Errorf("while it is backed up: %v", err)
				}
			}
		})
	}
	return l
}

// step uploads a picture that is new, and one time in four deletes one.
func (l *loaded) step(w *crashClient) error {
	ctx := context.Background()
	f := &sent{}
	f.bytes = newPicture(w.rng, false)
	_, p, err := w.client.uploadBytes(ctx, "", f.bytes)
	if err != nil {
		return err
	}
	k := &kept{picture: p, file: f, owner: w.account}
	l.note(k, func(m *moments) { m.uploaded = time.Now() })
	if w.rng.IntN(4) > 0 {
		return nil
	}
	l.note(k, func(m *moments) { m.deleting = time.Now() })
	status, err := w.client.delete(ctx, k.ID)
	if err == nil && status != http.StatusNoContent {
		err = newRefusal(status, []byte("delete "+k.ID))
	}
	l.note(k, func(m *moments) { m.deleted = time.Now() })
	return err
}

func (l *loaded) note(k *kept, change func(*moments)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.times[k]
	change(&m)
	l.times[k] = m
	l.acknowledged.Add(1)
}

// until waits for n more acknowledgements.
func (l *loaded) until(t *testing.T, n int64) {
	t.Helper()
	from := l.acknowledged.Load()
	eventually(t, "more was uploaded", func() bool { return l.acknowledged.Load() >= from+n || t.Failed() })
}

// stop ends the load, and the server the hard way.
func (l *loaded) stop() {
	l.stopping.Store(true)
	l.clients.Wait()
	l.server.kill()
}

// check looks for everything that was acknowledged before the end in the instance that was restored.
func (l *loaded) check(t *testing.T, binary string, env []string, end time.Time) {
	t.Helper()
	if said, code := command(t, binary, env, nil, nil, "doctor", "--deep"); code != 0 {
		t.Errorf("doctor ends with %d: %s", code, said)
	}
	s := start(t, testServer(), env)
	stranger := client{http: &http.Client{Transport: newTransport(t)}, base: "http://" + s.addr}
	var there, gone int
	for k, m := range l.times {
		switch {
		case !m.uploaded.Before(end):
			continue
		case m.deleting.IsZero() || m.deleting.After(end):
			there++
		case m.deleted.Before(end):
			k.state = deleted
			gone++
		default:
			continue // it was being deleted at the end
		}
		if err := l.crash.check(stranger, k); err != nil {
			t.Errorf("%s, uploaded %s before the end: %v", k.URL, end.Sub(m.uploaded), err)
		}
	}
	if there < 20 || gone < 5 {
		t.Errorf("%d pictures and %d deletions are not much of a load", there, gone)
	}
	// Whoever could sign in and upload still can.
	owner := client{http: stranger.http, base: stranger.base, key: l.keys[0]}
	if _, _, err := owner.uploadBytes(t.Context(), "", newPicture(l.rng, false)); err != nil {
		t.Errorf("upload to the restored instance: %v", err)
	}
	// What is not a picture yet is in no backup.
	if status, _, reply, err := owner.do(t.Context(), http.MethodGet, "/api/v1/uploads/"+l.upload, nil); err != nil || status != http.StatusNotFound {
		t.Errorf("an unfinished upload in the restored instance: %d %s, %v", status, reply, err)
	}
	s.stop(t)
}
