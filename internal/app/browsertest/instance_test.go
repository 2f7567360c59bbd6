package browsertest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/app"
	"github.com/kadr-app/kadr/internal/config"
	"github.com/kadr-app/kadr/internal/httpapi/contracttest"
	"github.com/kadr-app/kadr/internal/testdb"
)

// password is everybody's.
const password = "correct horse battery"

// instance is the whole program, running, with a database and a folder of its own.
type instance struct {
	base   string // http://127.0.0.1:port, as the links have it
	dir    string // its data
	db     *testdb.DB
	people atomic.Int64
}

// newInstance starts an instance; settings are "NAME=value", without the prefix. Whatever passes between it and a browser,
// or anybody, is held against the contract.
func newInstance(t *testing.T, settings ...string) *instance {
	t.Helper()
	address, inner := freeAddress(t), freeAddress(t)
	in := &instance{base: "http://" + address, dir: t.TempDir(), db: testdb.New(t)}
	environ := map[string]string{
		"KADR_LISTEN": inner, "KADR_PUBLIC_URL": in.base, "KADR_DATA_DIR": in.dir,
		"KADR_DATABASE_URL": in.db.URL, "KADR_DATABASE_MAX_CONNS": "6", "KADR_DECODERS": "1",
		"KADR_TRUSTED_PROXIES": "127.0.0.0/8", // so that each person can be at an address of their own
	}
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		environ["KADR_"+name] = value
	}
	cfg, err := config.Parse(environ)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	a, err := app.New(t.Context(), cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	contracttest.Front(t, address, inner)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-ended:
			if err = errors.Join(err, a.Close()); err != nil {
				t.Errorf("the instance did not stop cleanly: %v", err)
			}
		case <-time.After(patience):
			t.Error("the instance does not stop")
		}
	})
	return in
}

// freeAddress finds a port before the instance takes it, since the links that it hands out name the port.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// person is somebody who uses the instance without the page: what a story needs to be there beforehand, or to happen
// behind the page's back.
type person struct {
	in      *instance
	name    string
	address string
	agent   string // what the browser calls itself
	http    *http.Client
}

// image is what of a picture's data the stories need.
type image struct {
	ID      string `json:"id"`
	URL     string `json:"url"`
	PageURL string `json:"page_url"`
}

// stranger is nobody in particular.
func (in *instance) stranger() *person {
	return &person{in: in, address: in.newAddress(), http: &http.Client{Timeout: patience}}
}

// newAddress is where nobody was before, so that limits by address meet nobody but whom a story sends against them.
func (in *instance) newAddress() string {
	n := in.people.Add(1)
	return fmt.Sprintf("10.0.%d.%d", n/250, n%250+1)
}

// somebody registers under a name that nobody has.
func (in *instance) somebody(t *testing.T) *person {
	t.Helper()
	return in.register(t, fmt.Sprintf("member-%d", in.people.Add(1)))
}

// register makes an account and signs it in.
func (in *instance) register(t *testing.T, name string) *person {
	t.Helper()
	p := &person{in: in, name: name, address: in.newAddress(), http: newClient(t)}
	p.mustJSON(t, http.MethodPost, "/api/v1/accounts", map[string]string{"name": name, "password": password})
	p.signIn(t)
	return p
}

// newClient keeps cookies.
func newClient(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Timeout: patience, Jar: jar}
}

// signIn starts a session.
func (p *person) signIn(t *testing.T) {
	t.Helper()
	p.mustJSON(t, http.MethodPost, "/api/v1/sessions", map[string]string{"name": p.name, "password": password})
}

// session is the cookie of the person's session.
func (p *person) session(t *testing.T) *http.Cookie {
	t.Helper()
	base, err := url.Parse(p.in.base)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range p.http.Jar.Cookies(base) {
		return c
	}
	t.Fatalf("%s has no session", p.name)
	return nil
}

// signOutEverywhere ends all sessions of the account, also those in browsers.
func (p *person) signOutEverywhere(t *testing.T) {
	t.Helper()
	p.must(t, http.MethodDelete, "/api/v1/sessions", "", nil)
}

func (p *person) upload(t *testing.T, f file, visibility string) image {
	t.Helper()
	query := url.Values{"filename": {f.name}, "visibility": {visibility}}
	var i image
	reply := p.must(t, http.MethodPost, "/api/v1/images?"+query.Encode(), "application/octet-stream", f.bytes)
	if err := json.Unmarshal(reply, &i); err != nil {
		t.Fatal(err)
	}
	return i
}

func (p *person) describe(t *testing.T, i image, patch map[string]string) {
	t.Helper()
	body, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	p.must(t, http.MethodPatch, "/api/v1/images/"+i.ID, "application/merge-patch+json", body)
}

func (p *person) delete(t *testing.T, i image) {
	t.Helper()
	p.must(t, http.MethodDelete, "/api/v1/images/"+i.ID, "", nil)
}

// get follows a link.
func (p *person) get(t *testing.T, link string) (status int, body []byte) {
	t.Helper()
	return p.do(t, http.MethodGet, link, "", nil)
}

func (p *person) mustJSON(t *testing.T, method, path string, body any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	p.must(t, method, path, "application/json", text)
}

// must sends a request that has to succeed.
func (p *person) must(t *testing.T, method, path, contentType string, body []byte) []byte {
	t.Helper()
	status, reply := p.do(t, method, p.in.base+path, contentType, body)
	if !slices.Contains([]int{http.StatusOK, http.StatusCreated, http.StatusNoContent}, status) {
		t.Fatalf("%s %s: %d: %s", method, path, status, reply)
	}
	return reply
}

func (p *person) do(t *testing.T, method, link, contentType string, body []byte) (status int, reply []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, link, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", p.address)
	if p.agent != "" {
		req.Header.Set("User-Agent", p.agent)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := p.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if reply, err = io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, reply
}
