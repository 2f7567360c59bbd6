package app_test

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Decoders die at random while they work on large pictures. Each death costs one request a second try, two may cost it a
// 422, and nobody else notices.
func TestDecodersMayDie(t *testing.T) {
	t.Parallel()
	env := settings(t, "KADR_DECODERS=2", "KADR_LOG_LEVEL=error")
	a := boot(t, env)
	clients := newClients(t, env, a.Addr().String(), 8)
	stranger := &client{http: clients[0].http, base: clients[0].base}
	photograph := newPhotograph(t)

	done := make(chan struct{})
	var background sync.WaitGroup
	var kills, kept, given atomic.Int64
	// As many deaths as replies, however fast the machine is: on an even beat a slow one would finish nothing.
	answered := make(chan struct{}, 64)
	answered <- struct{}{}
	background.Go(func() {
		rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
		for {
			select {
			case <-done:
				return
			case <-answered:
			}
			time.Sleep(time.Duration(rng.IntN(200)) * time.Millisecond)
			if pids := a.DecoderPids(); len(pids) > 0 && syscall.Kill(pids[rng.IntN(len(pids))], syscall.SIGKILL) == nil {
				kills.Add(1)
			}
		}
	})
	background.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
			if status, _, _, err := stranger.fetch(t.Context(), "/healthz"); err != nil || status != http.StatusOK {
				t.Errorf("healthz: %d, %v", status, err)
			}
		}
	})
	var uploading sync.WaitGroup
	for _, c := range clients {
		uploading.Go(func() {
			for range 4 {
				_, p, err := c.uploadBytes(t.Context(), "?allow_duplicate=true", photograph)
				answered <- struct{}{}
				refused := (*refusal)(nil)
				switch {
				case err == nil:
					kept.Add(1)
					if status, _, got, err := stranger.fetch(t.Context(), p.URL); err != nil || len(got) != len(photograph) {
						t.Errorf("the picture: %d, %d bytes, %v", status, len(got), err)
					}
				case errors.As(err, &refused) && refused.status == http.StatusUnprocessableEntity && refused.code == "image_crashed_decoder":
					given.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	uploading.Wait()
	close(done)
	background.Wait()
	t.Logf("%d decoders killed, %d pictures kept, %d given up", kills.Load(), kept.Load(), given.Load())
	if kills.Load() < 2 || kept.Load() == 0 || 2*given.Load() > kills.Load() {
		t.Errorf("%d decoders killed, %d pictures kept, %d given up: that takes two each", kills.Load(), kept.Load(), given.Load())
	}

	eventually(t, "both decoders are back", func() bool { return len(a.DecoderPids()) == 2 })
	if status, _, reply, err := stranger.fetch(t.Context(), "/readyz"); err != nil || status != http.StatusOK {
		t.Errorf("readyz: %d, %s, %v", status, reply, err)
	}
	if status, _, err := clients[0].uploadBytes(t.Context(), "?allow_duplicate=true", photograph); status != http.StatusCreated {
		t.Errorf("after all: %d, %v", status, err)
	}
	for _, c := range clients {
		if u := c.usage(t); u.Bytes != u.Images*int64(len(photograph)) {
			t.Errorf("%d pictures of %d bytes are on record as %d bytes", u.Images, len(photograph), u.Bytes)
		}
	}
}
