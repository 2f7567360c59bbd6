package gatewaytest_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
)

const password = "a long and private sentence"

// reply is a whole one.
type reply struct {
	*http.Response
	body []byte
}

// person is somebody with a way to the instance: to the gateway, or to a server.
type person struct {
	http    *http.Client
	key     string // an API key
	session string // a session's cookie
}

// ask sends a request. The body is nil, JSON for what is no reader, or a reader.
func (p person) ask(method, target string, body any, headers ...string) (*reply, error) {
	var reader io.Reader
	contentType := "application/octet-stream"
	switch b := body.(type) {
	case nil:
	case io.Reader:
		reader = b
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return nil, err
		}
		reader, contentType = bytes.NewReader(text), "application/json"
	}
	if strings.HasPrefix(target, "/") {
		target = publicURL + target
	}
	req, err := http.NewRequest(method, target, reader) //nolint:noctx // the client has a time limit
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	if p.key != "" {
		req.Header.Set("Authorization", "Bearer "+p.key)
	}
	if p.session != "" {
		req.Header.Set("Cookie", "kadr_session="+p.session)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := p.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	return &reply{res, all}, err
}

// must is ask for what has to be answered with a status.
func (p person) must(t *testing.T, status int, method, target string, body any, headers ...string) *reply {
	t.Helper()
	r, err := p.ask(method, target, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	if r.StatusCode != status {
		t.Fatalf("%s %s: %d, not %d: %.300s", method, target, r.StatusCode, status, r.body)
	}
	return r
}

// into reads a reply's JSON.
func into[T any](t *testing.T, r *reply) (v T) {
	t.Helper()
	if err := json.Unmarshal(r.body, &v); err != nil {
		t.Fatalf("%s: %v", r.body, err)
	}
	return v
}

// picture is what the tests need of an image.
type picture struct {
	ID  string `json:"id"`
	URL string `json:"url"`
}

// register makes an account with a session and an API key.
func (r *rig) register(t *testing.T, name string) person {
	t.Helper()
	p := person{http: r.http}
	login := map[string]string{"name": name, "password": password}
	p.must(t, 201, "POST", "/api/v1/accounts", login)
	for _, c := range p.must(t, 201, "POST", "/api/v1/sessions", login).Cookies() {
		p.session = c.Value
	}
	made := into[struct{ Key string }](t, p.must(t, 201, "POST", "/api/v1/api-keys",
		map[string]any{"name": "test", "scopes": []string{"images:read", "images:write", "images:delete"}}))
	p.key = made.Key
	return p
}

// photo returns a JPEG that no other is like, of about that many bytes if that is more than it needs.
func photo(t *testing.T, seed uint64, size int) []byte {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	img := image.NewRGBA(image.Rect(0, 0, 64, 48))
	for y := range 48 {
		for x := range 64 {
			img.Set(x, y, color.RGBA{uint8(rng.IntN(256)), uint8(x), uint8(y), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	var out bytes.Buffer
	out.Write(whole[:2])
	for rest := size - len(whole); rest > 4; { // comments
		n := min(rest, 0xffff+2)
		segment := make([]byte, n)
		copy(segment, []byte{0xff, 0xfe, byte((n - 2) >> 8), byte(n - 2)})
		out.Write(segment)
		rest -= n
	}
	out.Write(whole[2:])
	return out.Bytes()
}

// form is a picture as a browser sends it.
func form(t *testing.T, file []byte) (body io.Reader, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("file", "photo.jpg")
	if err == nil {
		_, err = part.Write(file)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return &b, "Content-Type: " + w.FormDataContentType()
}
