package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/httpapi/contracttest"
	"github.com/kadr-app/kadr/internal/postgres"
	"github.com/kadr-app/kadr/internal/token"
)

// client is one account's way to a server.
type client struct {
	http *http.Client
	base string // http://host:port
	key  string // its API key; empty for a stranger
}

// picture is what of an upload's reply the tests need.
type picture struct {
	ID        string `json:"id"`
	URL       string `json:"url"`
	Thumbnail string `json:"thumbnail_url"`
	Size      int64  `json:"size"`
}

// newTransport returns connections that fail the test when an exchange is not what the contract declares.
func newTransport(t *testing.T) http.RoundTripper {
	t.Helper()
	base := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(base.CloseIdleConnections)
	return contracttest.For(t, base)
}

// newClients returns a client for each of a server's n new accounts.
func newClients(t *testing.T, env []string, addr string, n int) []*client {
	t.Helper()
	transport := newTransport(t)
	clients := make([]*client, n)
	withDatabase(t, env, func(db *postgres.DB) {
		for i, key := range newKeys(t, db, n) {
			clients[i] = &client{http: &http.Client{Transport: transport}, base: "http://" + addr, key: key}
		}
	})
	return clients
}

// newKeys makes n accounts, each with an API key. Their passwords are good for nothing, for a hash takes long.
func newKeys(t *testing.T, db *postgres.DB, n int) []string {
	t.Helper()
	store := postgres.NewAccountStore(db)
	accounts := account.New(store, account.Config{})
	keys := make([]string, n)
	for i := range keys {
		a, err := store.CreateAccount(t.Context(), account.NewAccount{
			ID: token.ID(), Name: "user-" + token.ID(), Role: account.RoleMember, PasswordHash: "none",
		})
		if err != nil {
			t.Fatal(err)
		}
		_, keys[i], err = accounts.CreateAPIKey(t.Context(), account.Principal{AccountID: a.ID},
			account.KeyRequest{Name: "test", Scopes: account.Scopes()})
		if err != nil {
			t.Fatal(err)
		}
	}
	return keys
}

// do sends a request and returns the whole reply. An error means that there was none, or not the whole of it.
func (c *client) do(ctx context.Context, method, path string, body io.Reader) (status int, header http.Header, reply []byte, err error) {
	return c.send(ctx, method, path, "application/octet-stream", body)
}

// send is do with a body of any type, and with headers: names, each before its value.
func (c *client) send(ctx context.Context, method, path, mediaType string, body io.Reader, headers ...string) (status int, header http.Header, reply []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return 0, nil, nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", mediaType)
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer res.Body.Close()
	reply, err = io.ReadAll(res.Body)
	return res.StatusCode, res.Header, reply, err
}

// upload sends a picture; query is "" or "?…". Any reply but 200 and 201 is a *refusal.
func (c *client) upload(ctx context.Context, query string, body io.Reader) (status int, p picture, err error) {
	status, _, reply, err := c.do(ctx, http.MethodPost, "/api/v1/images"+query, body)
	return toPicture(status, reply, err)
}

func toPicture(status int, reply []byte, err error) (_ int, p picture, _ error) {
	if err != nil {
		return 0, picture{}, err
	}
	if status != http.StatusOK && status != http.StatusCreated {
		return status, picture{}, newRefusal(status, reply)
	}
	return status, p, json.Unmarshal(reply, &p)
}

// begin begins an upload in parts.
func (c *client) begin(ctx context.Context, size int) (status int, id string, err error) {
	status, _, reply, err := c.send(ctx, http.MethodPost, "/api/v1/uploads", "application/json", strings.NewReader(fmt.Sprintf(`{"size":%d}`, size)))
	if err != nil {
		return 0, "", err
	}
	if status != http.StatusCreated {
		return status, "", newRefusal(status, reply)
	}
	var up struct{ ID string }
	return status, up.ID, json.Unmarshal(reply, &up)
}

// part sends a part of an upload.
func (c *client) part(ctx context.Context, id string, offset int, part io.Reader) (status int, err error) {
	status, _, reply, err := c.send(ctx, http.MethodPatch, "/api/v1/uploads/"+id, "application/octet-stream", part,
		"Upload-Offset", strconv.Itoa(offset))
	if err == nil && status != http.StatusOK {
		err = newRefusal(status, reply)
	}
	return status, err
}

// complete makes a picture of an upload; fields are JSON.
func (c *client) complete(ctx context.Context, id, fields string) (status int, p picture, err error) {
	status, _, reply, err := c.send(ctx, http.MethodPost, "/api/v1/uploads/"+id+"/complete", "application/json", strings.NewReader(fields))
	return toPicture(status, reply, err)
}

func (c *client) uploadBytes(ctx context.Context, query string, file []byte) (status int, p picture, err error) {
	return c.upload(ctx, query, bytes.NewReader(file))
}

func (c *client) delete(ctx context.Context, id string) (status int, err error) {
	status, _, _, err = c.do(ctx, http.MethodDelete, "/api/v1/images/"+id, nil)
	return status, err
}

// fetch follows one of a picture's links.
func (c *client) fetch(ctx context.Context, link string) (status int, header http.Header, file []byte, err error) {
	u, err := url.Parse(link)
	if err != nil {
		return 0, nil, nil, err
	}
	return c.do(ctx, http.MethodGet, u.RequestURI(), nil)
}

// usage is what the account holds.
func (c *client) usage(t *testing.T) (u struct{ Bytes, Images int64 }) {
	t.Helper()
	status, _, reply, err := c.do(t.Context(), http.MethodGet, "/api/v1/account/usage", nil)
	if err == nil && status != http.StatusOK {
		err = newRefusal(status, reply)
	}
	if err == nil {
		err = json.Unmarshal(reply, &u)
	}
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// refusal is a reply that says no.
type refusal struct {
	status int
	code   string // of the problem, such as image_broken
	text   string
}

func newRefusal(status int, reply []byte) *refusal {
	var problem struct{ Type string }
	_ = json.Unmarshal(reply, &problem) // what is no problem document has no code
	_, code, _ := strings.Cut(problem.Type, "problems/")
	return &refusal{status: status, code: code, text: string(reply)}
}

func (r *refusal) Error() string { return fmt.Sprintf("%d: %s", r.status, r.text) }
