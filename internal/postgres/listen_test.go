package postgres

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/image"
	"github.com/kadr-app/kadr/internal/testdb"
)

// ear writes down what it hears.
type ear struct {
	mu    sync.Mutex
	heard []string
}

func (e *ear) note(what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, what)
}

func (e *ear) Changed(ids []string) { e.note("changed " + strings.Join(ids, ",")) }
func (e *ear) ChangedAll()          { e.note("all") }
func (e *ear) KeysChanged()         { e.note("keys") }
func (e *ear) Lost()                { e.note("lost") }
func (e *ear) Restored()            { e.note("restored") }

// take returns what was heard since the last call.
func (e *ear) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	heard := e.heard
	e.heard = nil
	return heard
}

// expect waits until what was heard is as wanted.
func (e *ear) expect(t *testing.T, within time.Duration, want ...string) {
	t.Helper()
	var got []string
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if got = append(got, e.take()...); len(got) >= len(want) {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
}

// listen starts a listener; stop ends it and waits for its end.
func listen(t *testing.T, db *DB) (e *ear, stop func()) {
	t.Helper()
	e = &ear{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		db.Listen(ctx, e)
	}()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(stop)
	e.expect(t, 10*time.Second, "restored")
	return e, stop
}

func TestListenHearsChanges(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	e, stop := listen(t, g.db)
	one, two := g.add(picture(g.anna, "one")), g.add(picture(g.bert, "two"))
	title, filename, private := "A title", "another.png", image.Private
	for _, p := range []image.Patch{{Title: &title}, {Filename: &filename}, {Visibility: &private}, {Visibility: &private}} {
		if _, err := g.UpdateImage(t.Context(), g.anna.ID, one.ID, p); err != nil {
			t.Fatal(err)
		}
	}
	e.expect(t, 5*time.Second, "changed "+one.ID, "changed "+one.ID) // the title is of no interest, and it was private already
	if _, err := g.SetVisibility(t.Context(), g.bert.ID, []string{two.ID}, image.Public); err != nil {
		t.Fatal(err)
	}
	e.expect(t, 5*time.Second, "changed "+two.ID)
	if _, err := g.DeleteImages(t.Context(), g.anna.ID, []string{one.ID}, nil); err != nil {
		t.Fatal(err)
	}
	e.expect(t, 5*time.Second, "changed "+one.ID)
	exec(t, g.db, `UPDATE images SET account_name = 'renamed' WHERE id = $1`, two.ID)
	e.expect(t, 5*time.Second, "changed "+two.ID)
	variants := NewVariantStore(g.db)
	if _, err := variants.SigningKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.expect(t, 5*time.Second, "keys")
	if err := variants.RotateSigningKey(t.Context(), make([]byte, 32)); err != nil {
		t.Fatal(err)
	}
	e.expect(t, 5*time.Second, "keys") // once, for the same words in one transaction are one message
	stop()
	e.expect(t, 5*time.Second, "lost")
}

func TestListenHearsOfMany(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	add := func(n int) {
		exec(t, g.db, `INSERT INTO blobs (ref, size) VALUES (sha256('x'), 1) ON CONFLICT DO NOTHING`)
		exec(t, g.db, `INSERT INTO images (id, account_id, account_name, ref, media_type, width, height, frames, transparent, size,
			filename, title, description, visibility, placeholder)
			SELECT 'abcdefghijklmnopqrstuv' || lpad(n::text, 4, '0'), $1, 'anna', sha256('x'), 'image/png', 1, 1, 1, false, 1, 'x', '', '', 'public', ''
			FROM generate_series(1, $2) AS n`, g.anna.ID, n)
	}
	e, _ := listen(t, g.db)
	add(250)
	exec(t, g.db, `DELETE FROM images`)
	var heard []string
	for deadline := time.Now().Add(5 * time.Second); len(heard) < 3 && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		heard = append(heard, e.take()...)
	}
	ids := map[string]bool{}
	for _, h := range heard {
		for id := range strings.SplitSeq(strings.TrimPrefix(h, "changed "), ",") {
			ids[id] = true
		}
	}
	if len(heard) != 3 || len(ids) != 250 {
		t.Errorf("%d ids in %d messages", len(ids), len(heard))
	}
	add(501)
	exec(t, g.db, `UPDATE images SET visibility = 'private'`)
	e.expect(t, 5*time.Second, "all")
	exec(t, g.db, `DELETE FROM images`)
	e.expect(t, 5*time.Second, "all")
}

func TestListenComesBack(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	img := g.add(picture(g.anna, "one"))
	e, _ := listen(t, g.db)
	for range 2 {
		if n := queryInt(t, g.db, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = current_database() AND query LIKE 'LISTEN%'`); n != 1 {
			t.Fatalf("%d connections listen", n)
		}
		e.expect(t, 10*time.Second, "lost", "restored")
	}
	if _, err := g.DeleteImages(t.Context(), g.anna.ID, []string{img.ID}, nil); err != nil {
		t.Fatal(err)
	}
	e.expect(t, 5*time.Second, "changed "+img.ID)
}

// wire is a connection between Kadr and PostgreSQL that can be cut without a word to either.
type wire struct {
	mu   sync.Mutex
	cut  bool
	ends []net.Conn
}

func (w *wire) keep(ends ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends = append(w.ends, ends...)
}

func (w *wire) closeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, end := range w.ends {
		end.Close()
	}
}

func (w *wire) isCut() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cut
}

func (w *wire) setCut(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
}

// carry copies until one side ends; what comes while the wire is cut is lost.
func (w *wire) carry(to, from net.Conn) {
	defer to.Close()
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if n > 0 && !w.isCut() {
			_, _ = to.Write(buf[:n])
		}
		if err != nil {
			return
		}
	}
}

func TestListenNoticesADeadConnection(t *testing.T) {
	t.Parallel()
	target, err := url.Parse(testdb.New(t).URL)
	if err != nil {
		t.Fatal(err)
	}
	network, address := "tcp", target.Host
	if dir := target.Query().Get("host"); target.Hostname() == "" || dir != "" {
		network, address = "unix", fmt.Sprintf("%s/.s.PGSQL.%s", dir, firstOf(target.Query().Get("port"), target.Port(), "5432"))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{}
	var conns sync.WaitGroup
	t.Cleanup(func() { listener.Close(); w.closeAll(); conns.Wait() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial(network, address)
			if err != nil {
				t.Error(err)
				near.Close()
				continue
			}
			w.keep(near, far)
			conns.Go(func() { w.carry(far, near) })
			conns.Go(func() { w.carry(near, far) })
		}
	}()
	through := *target
	query := through.Query()
	query.Del("host")
	query.Del("port")
	query.Set("sslmode", "disable")
	through.Host, through.RawQuery = listener.Addr().String(), query.Encode()
	db, err := Open(t.Context(), through.String(), Options{MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	e, stop := listen(t, db)
	defer stop()
	time.Sleep(quietTime + time.Second) // a sign of life is asked for, and comes
	if heard := e.take(); len(heard) != 0 {
		t.Fatalf("heard %q", heard)
	}
	w.setCut(true)
	e.expect(t, quietTime+pingTimeout+time.Second, "lost")
	w.setCut(false)
	e.expect(t, 15*time.Second, "restored")
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
