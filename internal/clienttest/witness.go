package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
)

// awaited is what a story asks for, and how it is answered; other requests may come between.
func awaited() map[string]int {
	return map[string]int{
		"POST /api/v1/accounts 201":      1,
		"POST /api/v1/sessions 201":      1,
		"POST /api/v1/api-keys 201":      1,
		"POST /api/v1/images 201":        3,
		"GET /api/v1/images 200":         2,
		"PATCH /api/v1/images/{id} 200":  1,
		"PATCH /api/v1/images/{id} 412":  1,
		"GET /api/v1/images/{id} 404":    1,
		"GET /i/{file} 200":              1,
		"DELETE /api/v1/images/{id} 204": 1,
		"GET /api/v1/images/{id} 410":    1,
		"GET /i/{file} 410":              1,
	}
}

// unwritten stands at the end of the photograph until its beginning has arrived.
const unwritten = "these bytes are not there yet "

// witness sees what one story asks and gets. It also knows whether a photograph is sent as it is read: the last quarter of
// the file is written only when the first bytes of it arrive, so that whoever reads all before sending any sends nonsense.
type witness struct {
	photo string
	whole []byte

	mu       sync.Mutex
	answered map[string]int
	faults   []error
	keyed    bool            // an API key was made, so that nothing else is needed any more
	once     map[string]bool // the Idempotency-Keys that came
	arrived  bool            // some of the photograph did
	hasty    bool            // it was read too early
}

func newWitness(photo string, whole []byte) (*witness, error) {
	early := bytes.Clone(whole)
	for tail := early[endOf(whole):]; len(tail) > 0; {
		tail = tail[copy(tail, unwritten):]
	}
	return &witness{photo: photo, whole: whole, answered: map[string]int{}, once: map[string]bool{}}, os.WriteFile(photo, early, 0o644)
}

// endOf is where the part begins that is written late.
func endOf(photo []byte) int { return len(photo) / 4 * 3 }

// complete writes it, in its place: somebody is reading the file.
func (w *witness) complete() error {
	file, err := os.OpenFile(w.photo, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	end := endOf(w.whole)
	_, err = file.WriteAt(w.whole[end:], int64(end))
	return errors.Join(err, file.Close())
}

// asked looks at a request before it is passed on.
func (w *witness) asked(req *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.keyed && strings.HasPrefix(req.URL.Path, "/api/") {
		if !strings.HasPrefix(req.Header.Get("Authorization"), "Bearer kadr_") || req.Header.Get("Cookie") != "" {
			w.fault("%s %s came without the API key, or with a cookie", req.Method, req.URL.Path)
		}
	}
	switch route(req) {
	case "POST /api/v1/images":
		key := req.Header.Get("Idempotency-Key")
		if key == "" || w.once[key] {
			w.fault("an upload came without an Idempotency-Key of its own")
		}
		w.once[key] = true
		req.Body = &sent{req.Body, w}
	case "PATCH /api/v1/images/{id}":
		if req.Header.Get("If-Match") == "" {
			w.fault("a change came without If-Match")
		}
	case "GET /api/v1/images":
		if req.URL.Query().Get("limit") != "2" {
			w.fault("a page was asked for without limit=2")
		}
	}
}

// replied notes the reply.
func (w *witness) replied(res *http.Response) {
	w.mu.Lock()
	defer w.mu.Unlock()
	what := fmt.Sprintf("%s %d", route(res.Request), res.StatusCode)
	w.answered[what]++
	if what == "POST /api/v1/api-keys 201" {
		w.keyed = true
	}
}

func (w *witness) fault(format string, args ...any) {
	w.faults = append(w.faults, fmt.Errorf(format, args...))
}

// judge says what was not as it should be. A story that broke off has asked too little.
func (w *witness) judge(whole bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for what, times := range awaited() {
		if whole && w.answered[what] != times {
			w.fault("%s was seen %d times, not %d", what, w.answered[what], times)
		}
	}
	return errors.Join(w.faults...)
}

// sent is a photograph's way to the instance.
type sent struct {
	io.ReadCloser
	to *witness
}

func (s *sent) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.to.mu.Lock()
	defer s.to.mu.Unlock()
	if !s.to.arrived && n > 0 {
		s.to.arrived = true
		if err := s.to.complete(); err != nil {
			s.to.fault("complete the photograph: %w", err)
		}
	}
	if !s.to.hasty && bytes.Contains(p[:n], []byte(unwritten)) {
		s.to.hasty = true
		s.to.fault("the photograph was read before it was sent, instead of meanwhile")
	}
	return n, err
}

// route names an operation by its path in the contract.
func route(req *http.Request) string {
	path := regexp.MustCompile(`^/api/v1/images/[a-z2-7]{13}$`).ReplaceAllString(req.URL.Path, "/api/v1/images/{id}")
	return req.Method + " " + regexp.MustCompile(`^/i/.*`).ReplaceAllString(path, "/i/{file}")
}
