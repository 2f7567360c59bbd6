package app_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/testdb"
)

// Many accounts upload and delete the same picture at the same time, so that its bytes come and go: a few, by whom they
// often go altogether, then many. A link answers with all of its bytes for as long as its picture lives.
func TestSameBytesInManyAccounts(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	env := settings(t, "KADR_DATABASE_URL="+db.URL, "KADR_SWEEP_INTERVAL=1s", "KADR_SWEEP_GRACE=1m")
	a := boot(t, env)
	clients := newClients(t, env, a.Addr().String(), 33)
	clients, keeper := clients[:32], clients[32]
	// Wider than the thumbnails, so that there are some.
	file := newPictureOf(rand.New(rand.NewPCG(1, 1)), 700, 40, false)
	reader := newLinkReader(keeper, file)
	stop := reader.start(t)

	comeAndGo(t, clients[:3], reader, 20)
	expectNothingLeft(t, db, env, clients)

	_, kept, err := keeper.uploadBytes(t.Context(), "", file)
	if err != nil {
		t.Fatal(err)
	}
	reader.add(kept.URL)
	comeAndGo(t, clients, reader, 3)
	if blobs, _ := filesOf(t, env); blobs != 1 {
		t.Errorf("%d files of one picture", blobs)
	}
	reader.remove(kept.URL)
	if status, err := keeper.delete(t.Context(), kept.ID); err != nil || status != http.StatusNoContent {
		t.Errorf("the last deletion: %d, %v", status, err)
	}
	expectNothingLeft(t, db, env, clients)

	comeAndGo(t, clients, reader, 2)
	expectNothingLeft(t, db, env, clients)
	stop()
	if reader.whole == 0 {
		t.Error("the reader has read nothing")
	}
}

// comeAndGo has every client upload and delete, rounds times.
func comeAndGo(t *testing.T, clients []*client, reader *linkReader, rounds int) {
	t.Helper()
	var all sync.WaitGroup
	for i, c := range clients {
		all.Go(func() {
			for n := range rounds {
				if err := comeAndGoOnce(t, c, reader, n%2 == 0); err != nil {
					t.Errorf("client %d, round %d: %v", i, n, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// comeAndGoOnce uploads, looks, uploads once more, and deletes.
func comeAndGoOnce(t *testing.T, c *client, reader *linkReader, repeat bool) error {
	t.Helper()
	ctx := t.Context()
	status, p, err := c.uploadBytes(ctx, "", reader.want)
	if err != nil || status != http.StatusCreated {
		return fmt.Errorf("upload: %d, %w", status, err)
	}
	reader.add(p.URL)
	if repeat {
		status, again, err := c.uploadBytes(ctx, "", reader.want)
		if err != nil || status != http.StatusOK || again.ID != p.ID {
			return fmt.Errorf("upload again: %d, %w", status, err)
		}
	}
	status, _, got, err := c.fetch(ctx, p.URL)
	if err != nil || status != http.StatusOK || !bytes.Equal(got, reader.want) {
		return fmt.Errorf("fetch: %d, %d bytes, %w", status, len(got), err)
	}
	reader.remove(p.URL)
	if status, err = c.delete(ctx, p.ID); err != nil || status != http.StatusNoContent {
		return fmt.Errorf("delete: %d, %w", status, err)
	}
	if status, err = c.delete(ctx, p.ID); err != nil || status != http.StatusGone {
		return fmt.Errorf("delete again: %d, %w", status, err)
	}
	if status, _, _, err = c.fetch(ctx, p.URL); err != nil || status != http.StatusGone {
		return fmt.Errorf("fetch what is deleted: %d, %w", status, err)
	}
	return nil
}

// linkReader fetches links of living pictures without a pause.
type linkReader struct {
	stranger client
	want     []byte

	mu    sync.Mutex
	links map[string]bool
	whole int
}

func newLinkReader(c *client, want []byte) *linkReader {
	return &linkReader{stranger: client{http: c.http, base: c.base}, want: want, links: map[string]bool{}}
}

func (r *linkReader) add(link string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.links[link] = true
}

func (r *linkReader) remove(link string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.links, link)
}

func (r *linkReader) lives(link string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.links[link]
}

// start returns what ends it.
func (r *linkReader) start(t *testing.T) (stop func()) {
	t.Helper()
	done := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				r.read(t)
			}
		}
	})
	return func() { close(done); reading.Wait() }
}

func (r *linkReader) read(t *testing.T) {
	r.mu.Lock()
	link := ""
	for link = range r.links { // in no order
		break
	}
	r.mu.Unlock()
	if link == "" {
		time.Sleep(time.Millisecond)
		return
	}
	status, _, got, err := r.stranger.fetch(t.Context(), link)
	whole := err == nil && status == http.StatusOK && bytes.Equal(got, r.want)
	switch {
	case whole:
		r.mu.Lock()
		r.whole++
		r.mu.Unlock()
	case r.lives(link): // it did so all the while: a picture lives once
		t.Errorf("the link of a living picture: %d, %d bytes, %v", status, len(got), err)
	case err != nil || (status != http.StatusOK && status != http.StatusGone):
		t.Errorf("the link of a picture that was just deleted: %d, %v", status, err)
	}
}

// expectNothingLeft looks for what should have gone with the last picture.
func expectNothingLeft(t *testing.T, db *testdb.DB, env []string, clients []*client) {
	t.Helper()
	var blobs, images int
	err := db.Pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM blobs), (SELECT count(*) FROM images)`).Scan(&blobs, &images)
	if err != nil || blobs+images != 0 {
		t.Errorf("%d blobs and %d images are left in the database (%v)", blobs, images, err)
	}
	if blobs, variants := filesOf(t, env); blobs != 0 || variants != 0 {
		t.Errorf("%d blobs and %d variants are left on the disk", blobs, variants)
	}
	for _, c := range clients[:3] {
		if u := c.usage(t); u.Bytes != 0 || u.Images != 0 {
			t.Errorf("an account without a picture holds %+v", u)
		}
	}
	var used int
	err = db.Pool.QueryRow(t.Context(), `SELECT count(*) FROM account_usage WHERE bytes <> 0 OR images <> 0`).Scan(&used)
	if err != nil || used != 0 {
		t.Errorf("%d accounts without a picture hold something (%v)", used, err)
	}
}
