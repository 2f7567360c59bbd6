package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/alexedwards/argon2id"

	api "github.com/kadr-app/kadr/gen/client"
	"github.com/kadr-app/kadr/internal/httpapi/contracttest"
	"github.com/kadr-app/kadr/internal/token"
)

const password = "a long and private sentence"

// client is somebody who talks to an instance. Every reply is held against the contract.
type client struct {
	t       *testing.T
	in      *instance
	http    *http.Client
	address string
	key     string // an API key; empty for a browser
	name    string // of the account; empty for a stranger
}

// stranger returns a client that is not signed in, at an address of its own.
func (in *instance) stranger(t *testing.T) *client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	n := in.people.Add(1)
	return &client{
		t: t, in: in, address: fmt.Sprintf("10.1.%d.%d", n/250, n%250+1),
		http: &http.Client{Jar: jar, Transport: contracttest.Transport{
			Base: in.transport, Checker: in.checker, Report: func(err error) { t.Error(err) },
		}},
	}
}

// cheapHash is of the password, with parameters that take no time. The hash brings them along, so who has it signs in as
// everybody does.
var cheapHash = sync.OnceValues(func() (string, error) {
	return argon2id.CreateHash(password, &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
})

const insertAccountSQL = `
	WITH a AS (INSERT INTO accounts (id, name, role, password_hash) VALUES ($1, $2, 'member', $3) RETURNING id),
		u AS (INSERT INTO account_usage (account_id) SELECT id FROM a)
	INSERT INTO sessions (id, account_id, token_hash, user_agent, address, expires_at)
	SELECT $4, a.id, $5, 'test', $6, now() + interval '1 hour' FROM a`

// person returns a client with a new account, signed in. It is put into the database, for registering and signing in take
// most of a test's time; the tests of accounts and sessions do without.
func (in *instance) person(t *testing.T) *client {
	t.Helper()
	hash, err := cheapHash()
	if err != nil {
		t.Fatal(err)
	}
	c, session := in.stranger(t), token.Secret()
	c.name = "p" + strings.ReplaceAll(strings.TrimPrefix(c.address, "10.1."), ".", "-")
	if _, err := in.db.Pool.Exec(t.Context(), insertAccountSQL, token.ID(), c.name, hash, token.ID(), token.Hash(session), c.address); err != nil {
		t.Fatal(err)
	}
	c.http.Jar.SetCookies(mustURL(t, "/"), []*http.Cookie{{Name: "kadr_session", Value: session, Path: "/"}})
	return c
}

// registered returns a client whose account came to be as everybody's.
func (in *instance) registered(t *testing.T) *client {
	t.Helper()
	c := in.stranger(t)
	c.name = "p" + strings.ReplaceAll(strings.TrimPrefix(c.address, "10.1."), ".", "-")
	c.do("POST", "/api/v1/accounts", object{"name": c.name, "password": password}).want(201)
	c.signIn()
	return c
}

// as returns the same client in another test, whose reports go there.
func (c *client) as(t *testing.T) *client {
	other := c.in.stranger(t)
	other.http.Jar, other.key, other.name = c.http.Jar, c.key, c.name
	return other
}

// at returns the same client at another server of the instance.
func (c *client) at(replica *instance) *client {
	there := *c
	there.in = replica
	there.http = &http.Client{Jar: c.http.Jar, Transport: replica.stranger(c.t).http.Transport}
	return &there
}

func (c *client) signIn() {
	c.t.Helper()
	c.do("POST", "/api/v1/sessions", object{"name": c.name, "password": password}).want(201)
}

// browser returns the person in another browser, signed in there.
func (c *client) browser() *client {
	c.t.Helper()
	other := c.in.stranger(c.t)
	other.name = c.name
	other.signIn()
	return other
}

// program returns a client with a new API key of the person.
func (c *client) program(scopes ...string) *client {
	c.t.Helper()
	var made api.APIKeyWithSecret
	c.do("POST", "/api/v1/api-keys", object{"name": "test", "scopes": scopes}).want(201).into(&made)
	other := c.in.stranger(c.t)
	other.key, other.name = made.Key, c.name
	return other
}

// object is a JSON object.
type object map[string]any

// do sends a request. The body is nil, bytes, a string, a reader, or whatever becomes JSON; headers are "Name: value".
func (c *client) do(method, path string, body any, headers ...string) *reply {
	c.t.Helper()
	var reader io.Reader
	mediaType := ""
	switch b := body.(type) {
	case nil:
	case io.Reader:
		reader = b
	case []byte:
		reader = bytes.NewReader(b)
	case string:
		reader, mediaType = strings.NewReader(b), "application/json"
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			c.t.Fatal(err)
		}
		reader, mediaType = bytes.NewReader(encoded), "application/json"
	}
	if mediaType != "" && method == "PATCH" {
		mediaType = "application/merge-patch+json"
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, publicURL+strings.TrimPrefix(path, publicURL), reader)
	if err != nil {
		c.t.Fatal(err)
	}
	if mediaType != "" {
		req.Header.Set("Content-Type", mediaType)
	}
	req.Header.Set("X-Forwarded-For", c.address)
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Content-Type" {
			req.Header.Del(name)
		}
		req.Header[textproto.CanonicalMIMEHeaderKey(name)] = append(req.Header[textproto.CanonicalMIMEHeaderKey(name)], value)
	}
	return c.send(req)
}

func (c *client) send(req *http.Request) *reply {
	c.t.Helper()
	r, err := c.http.Do(req)
	if err != nil {
		c.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatalf("%s %s: read the reply: %v", req.Method, req.URL, err)
	}
	return &reply{Response: r, t: c.t, body: b}
}

func (c *client) get(path string, headers ...string) *reply {
	c.t.Helper()
	return c.do("GET", path, nil, headers...)
}

// upload sends a picture as the whole body.
func (c *client) upload(picture []byte, query string, headers ...string) *reply {
	c.t.Helper()
	headers = append([]string{"Content-Type: application/octet-stream"}, headers...)
	return c.do("POST", "/api/v1/images"+query, picture, headers...)
}

// stored uploads a picture that is new to the account.
func (c *client) stored(picture []byte, query string) api.Image {
	c.t.Helper()
	return c.upload(picture, query).want(201).image()
}

// field is one part of a form.
type field struct {
	name, filename, value string
}

// form writes a form and returns it with its Content-Type header.
func form(t *testing.T, fields ...field) (body []byte, header string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		h := textproto.MIMEHeader{}
		disposition := fmt.Sprintf(`form-data; name="%s"`, f.name)
		if f.filename != "" {
			disposition += fmt.Sprintf(`; filename="%s"`, f.filename)
		}
		h.Set("Content-Disposition", disposition)
		part, err := w.CreatePart(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, f.value); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), "Content-Type: " + w.FormDataContentType()
}

func (c *client) uploadForm(query string, fields ...field) *reply {
	c.t.Helper()
	body, header := form(c.t, fields...)
	return c.do("POST", "/api/v1/images"+query, body, header)
}

// reply is a reply whose body was read.
type reply struct {
	*http.Response
	t    *testing.T
	body []byte
}

func (r *reply) want(status int) *reply {
	r.t.Helper()
	if r.StatusCode != status {
		r.t.Fatalf("%s %s: got %d, want %d\n%s", r.Request.Method, r.Request.URL, r.StatusCode, status, r.body)
	}
	return r
}

func (r *reply) into(v any) {
	r.t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		r.t.Fatalf("%s %s: %v\n%s", r.Request.Method, r.Request.URL, err, r.body)
	}
}

func (r *reply) image() api.Image {
	r.t.Helper()
	var img api.Image
	r.into(&img)
	return img
}

func (r *reply) page() api.ImageList {
	r.t.Helper()
	r.want(200)
	var page api.ImageList
	r.into(&page)
	return page
}

// problem asserts a problem document with the status and the code at the end of its type.
func (r *reply) problem(status int, code string) api.Problem {
	r.t.Helper()
	r.want(status)
	var p api.Problem
	r.into(&p)
	if got := strings.TrimPrefix(p.Type, "/problems/"); code != "" && got != code {
		r.t.Errorf("%s %s: problem %q, want %q\n%s", r.Request.Method, r.Request.URL, got, code, r.body)
	}
	return p
}

// fault asserts an invalid request with one fault; where is "/pointer", "?query", "-header" or empty.
func (r *reply) fault(where, code string) api.FieldError {
	r.t.Helper()
	p := r.problem(400, "")
	if p.Errors == nil || len(*p.Errors) != 1 {
		r.t.Fatalf("%s %s: want one fault\n%s", r.Request.Method, r.Request.URL, r.body)
	}
	f := (*p.Errors)[0]
	got := ""
	switch {
	case f.Pointer != nil:
		got = *f.Pointer
	case f.Parameter != nil && f.In == api.FieldErrorInQuery:
		got = "?" + *f.Parameter
	case f.Parameter != nil:
		got = "-" + *f.Parameter
	}
	if got != where || f.Code != code {
		r.t.Errorf("%s %s: fault %q at %q, want %q at %q\n%s", r.Request.Method, r.Request.URL, f.Code, got, code, where, r.body)
	}
	return f
}

func mustURL(t *testing.T, path string) *url.URL {
	t.Helper()
	u, err := url.Parse(publicURL + path)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
