package app_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/config"
	"github.com/kadr-app/kadr/internal/doctor"
	"github.com/kadr-app/kadr/internal/postgres"
	"github.com/kadr-app/kadr/internal/postgres/embedded"
)

// crashClient uploads and deletes until the server is no more.
type crashClient struct {
	*crash
	client  client
	account int
	rng     *rand.Rand
}

func newCrashClient(c *crash, addr string, account int, rng *rand.Rand, transport http.RoundTripper) *crashClient {
	return &crashClient{
		crash: c, account: account, rng: rng,
		client: client{http: &http.Client{Transport: transport}, base: "http://" + addr, key: c.keys[account]},
	}
}

// step uploads a picture, at times in parts, and one time in four deletes one.
func (w *crashClient) step(acknowledged *atomic.Int64) error {
	// Not the test's context: what ends these requests is the server's end.
	ctx := context.Background()
	file := w.file(w.rng)
	var p picture
	var err error
	if w.unfinished != nil && w.rng.IntN(2) == 0 {
		p, err = w.uploadParts(ctx, file)
	} else {
		_, p, err = w.client.uploadBytes(ctx, "", file.bytes)
	}
	if err != nil {
		return err
	}
	w.acknowledge(p, file, w.account)
	acknowledged.Add(1)
	if w.rng.IntN(4) != 0 {
		return nil
	}
	k := w.victim(w.rng, w.account)
	if k == nil {
		return nil
	}
	status, err := w.client.delete(ctx, k.ID)
	if err != nil {
		return err
	}
	if status != http.StatusNoContent {
		return newRefusal(status, []byte("delete "+k.ID))
	}
	w.gone(k)
	return nil
}

// sweeping are the settings of a server that sweeps at once.
func (c *crash) sweeping() []string {
	return append(append([]string{}, c.env...), "KADR_SWEEP_GRACE=0s", "KADR_SWEEP_INTERVAL=1s")
}

// withDatabase opens the database of a running instance.
func withDatabase(t *testing.T, env []string, do func(*postgres.DB)) {
	t.Helper()
	url := setting(env, "KADR_DATABASE_URL")
	if url == "" {
		cluster, err := embedded.Start(t.Context(), embedded.Config{Dir: folders(env).PostgresDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer cluster.Stop(context.Background())
		if !cluster.Attached() {
			t.Error("the server does not run its database")
		}
		url = cluster.URL()
	}
	db, err := postgres.Open(t.Context(), url, postgres.Options{MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	do(db)
}

// folders knows where an instance keeps what it has.
func folders(env []string) config.Config {
	return config.Config{DataDir: setting(env, "KADR_DATA_DIR")}
}

// checkPictures follows every link that was ever given out.
func (c *crash) checkPictures(addr string) {
	c.t.Helper()
	transport := newTransport(c.t)
	work := make(chan *kept)
	var workers sync.WaitGroup
	for range crashClients {
		workers.Go(func() {
			stranger := client{http: &http.Client{Transport: transport}, base: "http://" + addr}
			for k := range work {
				if err := c.check(stranger, k); err != nil {
					c.t.Errorf("%s, deleted %d, private %t: %v", k.URL, k.state, k.file.private, err)
				}
			}
		})
	}
	for _, k := range c.promised {
		work <- k
	}
	close(work)
	workers.Wait()
}

func (c *crash) check(stranger client, k *kept) error {
	status, header, got, err := stranger.fetch(c.t.Context(), k.URL)
	switch {
	case err != nil:
		return err
	case status == http.StatusGone && k.state != living:
		return nil
	case status != http.StatusOK || k.state == deleted:
		return newRefusal(status, got)
	}
	sum := sha256.Sum256(got)
	if want := fmt.Sprintf(`"%x"`, sum[:16]); header.Get("ETag") != want {
		return fmt.Errorf("its ETag is %s and not the %s of its bytes", header.Get("ETag"), want)
	}
	switch {
	case !k.file.private:
		if !bytes.Equal(got, k.file.bytes) {
			return fmt.Errorf("%d bytes came back, and not the %d that were sent", len(got), len(k.file.bytes))
		}
	case k.sum == [32]byte{}: // the first time
		k.sum = sum
		if bytes.Contains(got, []byte(secret)) || !samePixels(c.t, k.file.bytes, got) {
			return fmt.Errorf("its metadata was not removed, or something else was")
		}
	case k.sum != sum:
		return fmt.Errorf("other bytes came back than after the last crash")
	}
	if k.ID[0] != 'a' { // thumbnails are made anew where they are lost: a sample will do
		return nil
	}
	if status, _, reply, err := stranger.fetch(c.t.Context(), k.Thumbnail); err != nil || status != http.StatusOK {
		return fmt.Errorf("its thumbnail: %w", newRefusal(status, reply))
	}
	return nil
}

// checkStores waits for the sweep, and then has database and storage compared: every byte, and every account's usage.
func (c *crash) checkStores() {
	c.t.Helper()
	storage := folders(c.env).StorageDir()
	blobs, err := blob.OpenDir(storage)
	if err != nil {
		c.t.Fatal(err)
	}
	withDatabase(c.t, c.env, func(db *postgres.DB) {
		examiner := doctor.New(postgres.NewDoctorStore(db), blobs)
		eventually(c.t, "the sweep has removed what nothing refers to", func() bool {
			clean := true
			_, err := examiner.Examine(c.t.Context(), doctor.Options{}, func(f doctor.Finding) {
				clean = false
				if f.Kind != doctor.Unreferenced && f.Kind != doctor.Orphan {
					c.t.Error(f)
				}
			})
			return (err == nil && clean) || c.t.Failed()
		})
		_, err := examiner.Examine(c.t.Context(), doctor.Options{Deep: true}, func(f doctor.Finding) { c.t.Error(f) })
		if err != nil {
			c.t.Error(err)
		}
	})
	eventually(c.t, "no temporary file is left", func() bool {
		left, err := os.ReadDir(filepath.Join(storage, "tmp"))
		return err == nil && len(left) == 0
	})
}
