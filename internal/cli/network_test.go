package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/cli"
)

func TestBadLines(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	in.register(t, "admin")
	t.Cleanup(func() {
		if n := in.unfinished(t); n != 0 {
			t.Errorf("%d unfinished uploads are left", n)
		}
	})
	for name, test := range map[string]struct {
		file   []byte
		lineOf func(number int64) line
		breaks int64 // at least
	}{
		"parts, on and on":              {large(1), func(int64) line { return line{up: 20_000, down: -1} }, 4},
		"parts, now and then":           {large(2), func(n int64) line { return line{up: 5_000 + 30_000*n, down: -1} }, 2},
		"parts, every reply lost twice": {large(3), func(n int64) line { return line{up: -1, down: 10 + 300*n} }, 2},
		"parts, and then silence":       {large(4), func(n int64) line { return line{up: 40_000 + 200_000*n, down: -1, stall: true} }, 1},
		"whole, the way there":          {small(5), func(n int64) line { return line{up: 1_000 * (n + 1), down: -1} }, 1},
		"whole, the reply":              {small(6), func(n int64) line { return line{up: -1, down: 30 + 200*n} }, 1},
	} {
		p := in.register(t, strings.NewReplacer(" ", "-", ",", "").Replace(name))
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := newProxy(t, in, test.lineOf)
			s := p.uploader(t)
			s.URL = bad.url
			file := write(t, t.TempDir(), "a.jpg", test.file)
			// Without duplicates the instance would make one of two that came.
			r := upload(t, s, "--allow-duplicate", file).want(t, 0, "a.jpg: ", "; once more in ")
			if got := fetch(t, r.lines()[0]); !bytes.Equal(got, test.file) {
				t.Errorf("it arrived as %d bytes of %d", len(got), len(test.file))
			}
			if images := p.images(t); len(images) != 1 {
				t.Errorf("%d pictures were made", len(images))
			}
			if n := bad.connections.Load(); n <= test.breaks {
				t.Errorf("only %d connections: nothing broke", n)
			}
			if r := upload(t, s, "--quiet", "--allow-duplicate", file); r.err != "" && r.code == 0 {
				t.Errorf("--quiet says:\n%s", r.err)
			}
		})
	}
}

// noise is a picture of 10 MB.
func noise(t *testing.T) []byte {
	t.Helper()
	picture := image.NewRGBA(image.Rect(0, 0, 2000, 1250))
	_, _ = rand.NewChaCha8([32]byte{}).Read(picture.Pix) // it never fails
	var file bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&file, picture); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// TestSilence is about a part that is larger than what a system takes from a program before anything arrives.
func TestSilence(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	s := in.register(t, "anna").uploader(t).InParts(32 << 20)
	s.URL = newProxy(t, in, func(n int64) line { return line{up: 1_000_000 + 20_000_000*n, down: -1, stall: true} }).url
	file := noise(t)
	// A long text makes it go by an upload that can be resumed.
	r := upload(t, s, "--description", strings.Repeat("long ", 200), write(t, t.TempDir(), "a.png", file)).
		want(t, 0, "nothing goes through any more; once more in ")
	if !bytes.Equal(fetch(t, r.lines()[0]), file) {
		t.Error("it arrived as something else")
	}
}

func TestServerAway(t *testing.T) {
	t.Parallel()
	file := write(t, t.TempDir(), "a.jpg", small(1))
	away := cli.Settings{URL: "http://" + freeAddress(t), APIKey: "kadr_" + strings.Repeat("a", 26)}.Hasty()
	r := upload(t, away, file).want(t, cli.ExitFailed, "a.jpg: ", "connection refused")
	if n := strings.Count(r.err, "; once more in "); n != 5 {
		t.Errorf("it was tried %d times again:\n%s", n, r.err)
	}
	away.URL = "http://nowhere.invalid"
	if r := upload(t, away, file).want(t, cli.ExitFailed, "a.jpg: ", "nowhere.invalid"); strings.Contains(r.err, "once more") {
		t.Errorf("a name that is not there was tried again:\n%s", r.err)
	}
}

// TestGateways is about those who answer in the instance's stead.
func TestGateways(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	s := in.register(t, "anna").uploader(t)
	to, err := url.Parse(in.url)
	if err != nil {
		t.Fatal(err)
	}
	before := func(handle func(w http.ResponseWriter, number int64) (answered bool)) cli.Settings {
		t.Helper()
		var requests atomic.Int64
		forward := httputil.NewSingleHostReverseProxy(to)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !handle(w, requests.Add(1)-1) {
				forward.ServeHTTP(w, r)
			}
		}))
		t.Cleanup(server.Close)
		other := s
		other.URL = server.URL
		return other
	}
	file := write(t, t.TempDir(), "a.jpg", large(1))

	started := time.Now()
	busy := before(func(w http.ResponseWriter, number int64) bool {
		if number%3 != 0 {
			return false
		}
		w.Header().Set("Retry-After", "1")
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return true
	})
	r := upload(t, busy, file).want(t, 0, "the server says 503 Service Unavailable; once more in 1s")
	if n := strings.Count(r.err, "\n"); time.Since(started) < time.Duration(n)*time.Second {
		t.Errorf("Retry-After was not honoured: %d attempts more within %v", n, time.Since(started))
	}
	for _, later := range []string{"3600", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)} {
		patient := before(func(w http.ResponseWriter, _ int64) bool {
			w.Header().Set("Retry-After", later)
			http.Error(w, "busy", http.StatusTooManyRequests)
			return true
		})
		if r := upload(t, patient, file).want(t, cli.ExitFailed, "the server says 429 Too Many Requests"); strings.Contains(r.err, "once more") {
			t.Errorf("Retry-After: %s: it waits for an hour:\n%s", later, r.err)
		}
	}
	broken := before(func(w http.ResponseWriter, number int64) bool {
		if number > 0 {
			return false
		}
		w.Header().Set("Content-Length", "100") // and then less of it
		w.WriteHeader(http.StatusConflict)
		return true
	})
	upload(t, broken, file).want(t, 0, "the server says 409 Conflict; once more in ")
	moved := before(func(w http.ResponseWriter, _ int64) bool {
		w.Header().Set("Location", "https://pictures.example.org/api/v1/uploads")
		w.WriteHeader(http.StatusMovedPermanently)
		return true
	})
	upload(t, moved, file).want(t, cli.ExitFailed, "the server sends to https://pictures.example.org: use that address")
	other := before(func(w http.ResponseWriter, _ int64) bool {
		fmt.Fprint(w, "<html>another site</html>")
		return true
	})
	upload(t, other, file).want(t, cli.ExitFailed, "the server's reply is not Kadr's")
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	p := in.register(t, "anna")
	s := p.uploader(t)
	s.URL = newProxy(t, in, func(int64) line { return line{up: -1, down: -1, pause: 100 * time.Millisecond} }).url
	ctx, interrupt := context.WithCancel(t.Context())
	done := make(chan result)
	folder := t.TempDir()
	go func() {
		done <- run(ctx, s, strings.NewReader(""), "upload", write(t, folder, "a.jpg", large(1)), write(t, folder, "b.jpg", large(2)))
	}()
	eventually(t, "it is under way", func() bool { return in.unfinished(t) > 0 })
	interrupt()
	if r := (<-done).want(t, cli.ExitInterrupted, "interrupted"); r.out != "" || strings.Contains(r.err, ".jpg") {
		t.Errorf("it says %q and %q", r.out, r.err)
	}
	if in.unfinished(t) != 0 || len(p.images(t)) != 0 {
		t.Error("something is left on the instance")
	}
}
