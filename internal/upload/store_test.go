package upload

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/token"
)

const (
	anna = "annaaaaaaaaaa"
	bert = "bertaaaaaaaaa"
)

func roomy(int64) error { return nil }

func newStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "uploads"), roomy)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *Store) create(t *testing.T, size int64) Upload {
	t.Helper()
	up, _, err := s.Create(anna, "sunset.jpg", size, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	return up
}

func (s *Store) append(t *testing.T, id string, offset int64, body io.Reader) (Upload, error) {
	t.Helper()
	return s.Append(t.Context(), anna, id, Part{Offset: offset, Length: -1, Body: body})
}

// whole reads what an upload came to.
func (s *Store) whole(t *testing.T, id string) []byte {
	t.Helper()
	f, _, err := s.OpenWhole(anna, id)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (s *Store) path(id string) string { return filepath.Join(s.folder, anna, id) }

// age makes an upload look as if nothing had come for so long.
func (s *Store) age(t *testing.T, id string, d time.Duration) {
	t.Helper()
	at := time.Now().Add(-d)
	if err := os.Chtimes(s.path(id), at, at); err != nil {
		t.Fatal(err)
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(b) // never fails
	return b
}

func TestParts(t *testing.T) {
	t.Parallel()
	s, file := newStore(t), noise(3<<20+17)
	up := s.create(t, int64(len(file)))
	if up.Offset != 0 || up.Size != int64(len(file)) || !token.IsID(up.ID) || time.Until(up.ExpiresAt) < Lifetime-time.Minute {
		t.Fatalf("%+v", up)
	}
	if _, _, err := s.OpenWhole(anna, up.ID); !errors.Is(err, ErrIncomplete) {
		t.Errorf("nothing is whole: %v", err)
	}
	for _, end := range []int64{1, 1, 1 << 20, 3 << 20, int64(len(file))} {
		next, err := s.append(t, up.ID, up.Offset, bytes.NewReader(file[up.Offset:end]))
		if err != nil || next.Offset != end {
			t.Fatalf("%+v, %v", next, err)
		}
		up = next
		// Another process sees the same.
		other, err := Open(s.folder, roomy)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := other.Get(anna, up.ID); err != nil || got.Offset != end || got.Size != up.Size || got.Filename != "sunset.jpg" {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if !bytes.Equal(s.whole(t, up.ID), file) {
		t.Error("the bytes are others")
	}
	if again, err := s.append(t, up.ID, up.Size, strings.NewReader("")); err != nil || again.Offset != up.Size {
		t.Errorf("nothing at the end: %+v, %v", again, err)
	}
	if err := s.Remove(anna, up.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(anna, up.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	up := s.create(t, 10)
	if got, err := s.append(t, up.ID, 0, strings.NewReader("12345")); err != nil || got.Offset != 5 {
		t.Fatal(got, err)
	}
	for _, offset := range []int64{0, 4, 6, 10, -1, math.MaxInt64} {
		if got, err := s.append(t, up.ID, offset, strings.NewReader("x")); !errors.Is(err, ErrOffset) || got.Offset != 5 {
			t.Errorf("at %d: %+v, %v", offset, got, err)
		}
	}
	if got, err := s.append(t, up.ID, 5, strings.NewReader("678901")); !errors.Is(err, ErrTooLarge) || got.Offset != 5 {
		t.Errorf("a byte too many: %+v, %v", got, err)
	}
	unread := Part{Offset: 5, Length: 6, Body: iotest.ErrReader(errors.New("it was read"))}
	if _, err := s.Append(t.Context(), anna, up.ID, unread); !errors.Is(err, ErrTooLarge) {
		t.Errorf("announced as too large: %v", err)
	}
	for _, who := range []struct{ account, id string }{
		{bert, up.ID}, {anna, "aaaaaaaaaaaaa"}, {anna, "../" + anna}, {"..", anna}, {anna, ""}, {"", up.ID},
	} {
		_, gerr := s.Get(who.account, who.id)
		_, aerr := s.Append(t.Context(), who.account, who.id, Part{Offset: 5, Length: -1, Body: strings.NewReader("x")})
		_, _, oerr := s.OpenWhole(who.account, who.id)
		rerr := s.Remove(who.account, who.id)
		for _, err := range []error{gerr, aerr, oerr, rerr} {
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("%v: %v", who, err)
			}
		}
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var made atomic.Int64
	var wg sync.WaitGroup
	for range MaxUnfinished + 8 {
		wg.Go(func() {
			switch _, _, err := s.Create(anna, "", 1, math.MaxInt64); {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, ErrTooMany):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made.Load() != MaxUnfinished {
		t.Errorf("%d were begun", made.Load())
	}
	first, _, err := s.Create(bert, "", 60, 100)
	if err != nil {
		t.Fatalf("another account: %v", err)
	}
	if _, _, err := s.Create(bert, "", 41, 100); !errors.Is(err, ErrTooMany) {
		t.Errorf("more than the quota: %v", err)
	}
	if _, _, err := s.Create(bert, "", 40, 100); err != nil {
		t.Errorf("just the quota: %v", err)
	}
	if err := s.Remove(bert, first.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Create(bert, "", 60, 100); err != nil {
		t.Errorf("once there is room again: %v", err)
	}
	if err := s.RemoveAll(anna); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Create(anna, "", 1, 1); err != nil {
		t.Errorf("once all are gone: %v", err)
	}
}

// The disk is never filled beyond what is to be kept free, neither by what is begun nor by what comes.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	left := int64(5 << 20)
	s, err := Open(filepath.Join(t.TempDir(), "uploads"), func(bytes int64) error {
		if bytes > left {
			return blob.ErrStorageFull
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Create(anna, "", 6<<20, math.MaxInt64); !errors.Is(err, blob.ErrStorageFull) {
		t.Errorf("begun without room: %v", err)
	}
	up := s.create(t, 5<<20)
	full := io.MultiReader(bytes.NewReader(noise(2<<20)), readerFunc(func([]byte) (int, error) { left = -1; return 0, nil }), bytes.NewReader(noise(2<<20)))
	got, err := s.append(t, up.ID, 0, full)
	if !errors.Is(err, blob.ErrStorageFull) || got.Offset < 2<<20 || got.Offset > 3<<20+bufferSize {
		t.Errorf("%+v, %v", got, err)
	}
	left = 5 << 20
	if again, err := s.append(t, up.ID, got.Offset, strings.NewReader("x")); err != nil || again.Offset != got.Offset+1 {
		t.Errorf("once there is room: %+v, %v", again, err)
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	young, old := s.create(t, 10), s.create(t, 10)
	s.age(t, young.ID, Lifetime-time.Minute)
	s.age(t, old.ID, Lifetime+time.Minute)
	// What a server left that died while it began an upload, and what is not ours.
	torn, half, stray := token.ID(), token.ID(), "a file of somebody's"
	for name, content := range map[string]string{torn: `{"size":10`, half: `{"si` + strings.Repeat("\x00", headSize), stray: "x"} {
		if err := os.WriteFile(s.path(name), []byte(content), fileMode); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{old.ID, torn, half} {
		if _, err := s.Get(anna, id); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
		if _, err := s.append(t, id, 0, strings.NewReader("x")); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if n, err := s.Sweep(t.Context()); n != 4 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	// A byte is a sign of life.
	if up, err := s.append(t, young.ID, 0, strings.NewReader("x")); err != nil || time.Until(up.ExpiresAt) < Lifetime-time.Minute {
		t.Errorf("%+v, %v", up, err)
	}
	s.age(t, young.ID, Lifetime+time.Minute)
	if n, err := s.Sweep(t.Context()); n != 1 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	if left, err := os.ReadDir(s.folder); len(left) != 1 || left[0].Name() != lockFile || err != nil {
		t.Errorf("%v is left, %v", left, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.create(t, 1)
	if _, err := s.Sweep(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}

// Sweeps take nothing away from under who begins.
func TestSweepsAndBeginnings(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	stop := make(chan struct{})
	var sweeps sync.WaitGroup
	defer sweeps.Wait()
	defer close(stop)
	for range 2 {
		sweeps.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := s.Sweep(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 200 {
		up := s.create(t, 1)
		if _, err := s.append(t, up.ID, 0, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		if err := s.Remove(anna, up.ID); err != nil {
			t.Fatal(err)
		}
	}
}
