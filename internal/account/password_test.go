package account

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
)

func TestHashesAreWhatOWASPAsksFor(t *testing.T) {
	t.Parallel()
	h := newHasher(0, 0)
	hash, err := h.hash(t.Context(), "a long and private sentence")
	if err != nil {
		t.Fatal(err)
	}
	for what, hash := range map[string]string{"a hash": hash, "the made-up hash": h.dummy} {
		if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
			t.Errorf("%s is %s", what, hash)
		}
		params, _, _, err := argon2id.DecodeHash(hash)
		if err != nil || *params != h.params {
			t.Errorf("%s: %+v, %v", what, params, err)
		}
	}
	for _, tc := range []struct {
		password, hash string
		want           bool
	}{
		{"a long and private sentence", hash, true},
		{"a long and private sentencf", hash, false},
		{"a long and private sentence", "", false},
	} {
		if got, err := h.check(t.Context(), tc.password, tc.hash); err != nil || got != tc.want {
			t.Errorf("check(%q, %q) = %v, %v", tc.password, tc.hash, got, err)
		}
	}
	if got := h.checks.Load(); got != 3 {
		t.Errorf("%d checks ran", got)
	}
	if _, err := h.check(t.Context(), "x", "not a hash"); err == nil {
		t.Error("a damaged hash is no error")
	}
}

func TestHasherBoundsWorkAndQueue(t *testing.T) {
	t.Parallel()
	const slots, queue = 2, 3
	h := newHasher(slots, queue)
	var working, most atomic.Int32
	release := make(chan struct{})
	var wg sync.WaitGroup
	for range slots + queue {
		wg.Go(func() {
			leave, err := h.enter(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			defer leave()
			n := working.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			<-release
			working.Add(-1)
		})
	}
	for len(h.places) < slots+queue {
		time.Sleep(time.Millisecond)
	}
	_, err := h.enter(t.Context())
	if !errors.Is(err, ErrBusy) {
		t.Errorf("one too many: %v", err)
	}
	close(release)
	wg.Wait()
	if most.Load() != slots {
		t.Errorf("%d worked at once", most.Load())
	}
	if len(h.places) != 0 || len(h.slots) != 0 {
		t.Error("a place was not given back")
	}
}

func TestHasherLetsGoOfWhoGivesUp(t *testing.T) {
	t.Parallel()
	h := newHasher(1, 1)
	leave, err := h.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.enter(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	leave()
	if len(h.places) != 0 {
		t.Error("a place was not given back")
	}
}
