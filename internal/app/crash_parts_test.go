package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
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
			_, first, err = owner.complete(c.t.Context(), id, "{}")
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
