package httpapi_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/httpapi/contracttest"
	"github.com/kadr-app/kadr/internal/testdb"
	"github.com/kadr-app/kadr/internal/token"
)

// The world of the contract's examples: Anna on the instance pictures.example.org, signed in, with a key, a picture and an
// upload. Their ids, and what the examples show of them, are really in the database.
const (
	exampleHost    = "https://pictures.example.org"
	exampleAccount = "k3vq5xw2mzt4a"
	exampleSession = "r5m2c7qxe3w6y"
	exampleKey     = "b6ytq2zsn5hwe"
	exampleImage   = "w7c2xq5kt3mza"
	exampleUpload  = "k3tmza7xw7c2q"
	exampleNewer   = "h3q7zk5mv2xwt"              // the last of the page before, in cursors
	exampleSecret  = "mz4vqk7nwx2c5rteyb3ufh6sda" // of the key
	exampleToken   = "4f7c2kq5xw7mzt3aq2zsn5hweb" // of the session
	exampleAgent   = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	exampleAddress = "203.0.113.7"
	// exampleArrived is how much of the upload has arrived.
	exampleArrived = 16384
)

// exampleNow is when the examples happen.
func exampleNow() time.Time { return time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC) }

// examplePicture is sunset.jpg.
var examplePicture = sync.OnceValue(func() []byte { return jpegOf("sunset", 1024, 768) })

// What is fixed in time stands where the examples have it. What ends stands as far from now as it does from exampleNow.
const exampleWorldSQL = `
	WITH root AS (
		INSERT INTO accounts (id, name, role, password_hash) VALUES ('aaaaaaaaaaaaa', 'root', 'admin', '') RETURNING id),
	anna AS (
		INSERT INTO accounts (id, name, email, role, password_hash, created_at, updated_at)
		VALUES ('k3vq5xw2mzt4a', 'anna', 'anna@example.org', 'member', $1, $4, $4) RETURNING id),
	usage AS (
		INSERT INTO account_usage (account_id, quota_bytes)
		SELECT id, NULL::bigint FROM root UNION ALL SELECT id, 10737418240 FROM anna),
	session AS (
		INSERT INTO sessions (id, account_id, token_hash, user_agent, address, created_at, last_used_at, expires_at)
		SELECT 'r5m2c7qxe3w6y', id, $2, $6, $7, $5::timestamptz, $5, $5::timestamptz + interval '30 days' FROM anna)
	INSERT INTO api_keys (id, account_id, name, prefix, secret_hash, scopes, created_at, last_used_at)
	SELECT 'b6ytq2zsn5hwe', id, 'ShareX on the laptop', 'kadr_mz4v', $3, '{images:write}', $4, $4::timestamptz + interval '5 minutes' FROM anna`

// world is one exchange's own instance.
type world struct {
	*instance
	t   *testing.T
	now time.Time // what exampleNow stands for
}

func newWorld(t *testing.T, settings ...string) *world {
	t.Helper()
	settings = append([]string{
		"PUBLIC_URL=" + exampleHost, "MAX_UPLOAD_BYTES=52428800", "MAX_PIXELS=100000000", "PRESETS=avatar:w=128&h=128&fit=cover",
	}, settings...)
	hash, err := cheapHash()
	if err != nil {
		t.Fatal(err)
	}
	db, now := testdb.New(t), time.Now().Truncate(time.Second)
	w := &world{instance: &instance{db: db}, t: t, now: now}
	w.sql(`INSERT INTO signing_keys (id, key) VALUES (1, $1)`, []byte(exampleSigningKey))
	w.sql(exampleWorldSQL, hash, token.Hash(exampleToken), token.Hash("kadr_"+exampleSecret), exampleNow(), now, exampleAgent, exampleAddress)
	w.instance = startInstance(t, db, t.TempDir(), settings...)
	return w
}

func (w *world) sql(statement string, args ...any) {
	w.t.Helper()
	if _, err := w.db.Pool.Exec(w.t.Context(), statement, args...); err != nil {
		w.t.Fatal(err)
	}
}

// request makes one as Anna's browser does, or whoever has the given headers.
func (w *world) request(method, path, mediaType string, body []byte) *http.Request {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, publicURL+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body == nil {
		req.Body, req.GetBody = nil, nil
	}
	if mediaType != "" {
		req.Header.Set("Content-Type", mediaType)
	}
	req.Header.Set("User-Agent", exampleAgent)
	req.Header.Set("X-Forwarded-For", exampleAddress)
	return req
}

func (w *world) send(req *http.Request) *reply {
	w.t.Helper()
	c := &client{t: w.t, in: w.instance, http: &http.Client{Transport: contracttest.Transport{
		Base: w.transport, Checker: w.checker, Report: func(err error) { w.t.Error(err) },
	}}}
	return c.send(req)
}

// do sends what an example needs to have happened before.
func (w *world) do(method, path, mediaType string, body []byte, headers ...string) *reply {
	w.t.Helper()
	req := w.request(method, path, mediaType, body)
	signExample(req)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	return w.send(req)
}

func signExample(req *http.Request) {
	req.AddCookie(&http.Cookie{Name: "__Host-kadr_session", Value: exampleToken})
}

// exampleSigningKey is the instance's.
const exampleSigningKey = "the key of the contract's examples"

func signExampleLink(link string) string {
	mac := hmac.New(sha256.New, []byte(exampleSigningKey))
	mac.Write([]byte(link))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// picture stores the picture of the examples.
func (w *world) picture() {
	w.t.Helper()
	w.do("POST", "/api/v1/images?visibility=public&filename=sunset.jpg&title=Sunset+over+the+bay&description=The+sun+sets+behind+three+sailing+boats.",
		"image/jpeg", examplePicture()).want(201)
	w.sql(`UPDATE images SET id = $1, created_at = $2, updated_at = $2`, exampleImage, exampleNow())
}

// newer are a picture and a key that lists have before those of the examples.
func (w *world) newer() {
	w.t.Helper()
	w.sql(`
		INSERT INTO images (id, account_id, account_name, ref, media_type, width, height, frames, transparent, size, filename, title,
			description, visibility, placeholder, created_at, updated_at)
		SELECT $1, account_id, account_name, ref, media_type, width, height, frames, transparent, size, filename, title,
			description, visibility, placeholder, $2, $2 FROM images`, exampleNewer, exampleNow().Add(5*time.Minute))
	w.sql(`
		INSERT INTO api_keys (id, account_id, name, prefix, secret_hash, scopes, created_at)
		SELECT $1, account_id, name, prefix, 'another', scopes, $2 FROM api_keys`, exampleNewer, exampleNow().Add(5*time.Minute))
}

// upload begins the upload of the examples, of which so many bytes have arrived.
func (w *world) upload(arrived int) {
	w.t.Helper()
	body := fmt.Sprintf(`{"size":%d,"filename":"sunset.jpg"}`, len(examplePicture()))
	location := w.do("POST", "/api/v1/uploads", "application/json", []byte(body)).want(201).Header.Get("Location")
	if arrived > 0 {
		w.do("PATCH", location, "application/octet-stream", examplePicture()[:arrived], "Upload-Offset: 0").want(200)
	}
	folder := filepath.Join(w.dir, "uploads", exampleAccount)
	if err := os.Rename(filepath.Join(folder, filepath.Base(location)), filepath.Join(folder, exampleUpload)); err != nil {
		w.t.Fatal(err)
	}
}

// refuse lets the database answer every insertion into a table with an SQLSTATE.
func (w *world) refuse(table, sqlstate string) {
	w.t.Helper()
	w.quiet.Store(true)
	w.sql(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = TG_ARGV[0]; END $$`)
	w.sql(`CREATE TRIGGER refuse BEFORE INSERT ON ` + table + ` EXECUTE FUNCTION refuse('` + sqlstate + `')`)
}

// digest is a Content-Digest (RFC 9530).
func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}
