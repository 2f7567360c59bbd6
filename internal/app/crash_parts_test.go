package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/imaging/imagetest"
	"github.com/kadr-app/kadr/internal/postgres"
	"github.com/kadr-app/kadr/internal/testdb"
)

// unfinished is an upload in parts that was begun, and of whose picture nobody heard yet.
type unfinished struct {
	id      string
	file    *sent
	account int
	arrived int // bytes that were acknowledged
}

// uploadParts sends a picture in two parts, and notes how far it comes.
func (w *crashClient) uploadParts(ctx context.Context, file *sent) (picture, error) {
	_, id, err := w.client.begin(ctx, len(file.bytes))
	if err != nil {
		return picture{}, err
	}
	u := &unfinished{id: id, file: file, account: w.account}
	w.mu.Lock()
	w.unfinished[id] = u
	w.mu.Unlock()
	for _, end := range []int{len(file.bytes) / 2, len(file.bytes)} {
		if _, err := w.client.part(ctx, id, u.arrived, bytes.NewReader(file.bytes[u.arrived:end])); err != nil {
			return picture{}, err
		}
		u.arrived = end
	}
	_, p, err := w.client.complete(ctx, id, "{}")
	if err == nil {
		w.mu.Lock()
		delete(w.unfinished, id)
		w.mu.Unlock()
	}
	return p, err
}

// resume goes on with every upload in parts that a crash interrupted. What was acknowledged of it is there, and it becomes
// one picture, also where it had become one and nobody heard.
func (c *crash) resume(addr string) {
	c.t.Helper()
	transport := newTransport(c.t)
	for id, u := range c.unfinished {
		owner := client{http: &http.Client{Transport: transport}, base: "http://" + addr, key: c.keys[u.account]}
		status, _, reply, err := owner.do(c.t.Context(), http.MethodGet, "/api/v1/uploads/"+id, nil)
		if err == nil && status == http.StatusOK {
			var up struct{ Offset int }
			err = json.Unmarshal(reply, &up)
			if up.Offset < u.arrived {
				c.t.Errorf("of %s %d bytes were acknowledged, and %d are there", id, u.arrived, up.Offset)
			}
			if err == nil {
				_, err = owner.part(c.t.Context(), id, up.Offset, bytes.NewReader(u.file.bytes[up.Offset:]))
			}
		}
		var first, again picture
		if err == nil {
			first, err = owner.takeOver(c.t, id)
		}
		if err == nil {
			_, again, err = owner.complete(c.t.Context(), id, "{}")
		}
		if err == nil && again != first {
			err = errors.New("completed again it is another picture")
		}
		if err != nil {
			c.t.Errorf("the upload %s does not go on: %v", id, err)
			continue
		}
		c.acknowledge(first, u.file, u.account)
	}
	c.t.Logf("went on with %d uploads in parts", len(c.unfinished))
	clear(c.unfinished)
}

// takeOver completes an upload that a server which died may have been completing: that one keeps it for some seconds.
func (c *client) takeOver(t *testing.T, id string) (p picture, err error) {
	t.Helper()
	begun, status := time.Now(), 0
	eventually(t, "the upload can be completed again", func() bool {
		status, p, err = c.complete(t.Context(), id, "{}")
		return status != http.StatusConflict
	})
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("it took %v until the upload could be completed again", took)
	}
	return p, err
}

// A server that is killed while it makes a picture of an upload leaves it to the next one, and soon.
func TestKilledWhileCompleting(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	env := settings(t, "KADR_DATABASE_URL="+db.URL)
	var key string
	s := start(t, testServer(), env)
	withDatabase(t, env, func(db *postgres.DB) { key = newKeys(t, db, 1)[0] })
	c := client{http: &http.Client{Transport: newTransport(t)}, base: "http://" + s.addr, key: key}
	file := imagetest.Photograph(1, 400, 300)
	_, id, err := c.begin(t.Context(), len(file))
	if err == nil {
		_, err = c.part(t.Context(), id, 0, bytes.NewReader(file))
	}
	if err != nil {
		t.Fatal(err)
	}
	lock, err := db.Pool.Begin(t.Context())
	if err == nil {
		_, err = lock.Exec(t.Context(), `SELECT FROM account_usage FOR UPDATE`) // which a picture that is new has to wait for
	}
	if err != nil {
		t.Fatal(err)
	}
	cut := make(chan error)
	go func() {
		_, _, err := c.complete(t.Context(), id, "{}")
		cut <- err
	}()
	eventually(t, "the picture waits for the account", func() bool {
		var waiting bool
		err := lock.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)`).Scan(&waiting)
		return err == nil && waiting
	})
	s.kill()
	if err := <-cut; err == nil {
		t.Error("the server was killed, and answered all the same")
	}
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	s = start(t, testServer(), env)
	c.base = "http://" + s.addr
	p, err := c.takeOver(t, id)
	if err != nil {
		t.Fatal(err)
	}
	if _, again, err := c.complete(t.Context(), id, "{}"); err != nil || again != p {
		t.Errorf("completed again it is %+v, %v, and was %+v", again, err, p)
	}
	if n := c.usage(t).Images; n != 1 {
		t.Errorf("%d pictures", n)
	}
	s.stop(t)
}
