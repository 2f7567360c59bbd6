package app_test

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// testRush sends 2,000 requests at once, each for another variant that nobody has asked for before: each ends with a picture
// or is told to come back later, the server answers in between, and its memory is bounded.
func testRush(t *testing.T, binary string) {
	env := settings(t)
	s := start(t, kadrServe(t, binary), env)
	owner := newClients(t, env, s.addr, 1)[0]
	photograph := newPhotograph(t)
	var links []string
	for i := range 14 {
		status, p, err := owner.uploadBytes(t.Context(), "?keep_metadata=true", insertSegment(photograph, 0xFE, []byte{byte(i)}))
		if status != http.StatusCreated {
			t.Fatalf("%d, %v", status, err)
		}
		for _, format := range []string{"webp", "jpg"} {
			for _, width := range []int{64, 160, 320, 480, 640, 800, 1024, 1280} {
				for quarters := 4; quarters <= 12; quarters++ {
					links = append(links, fmt.Sprintf("/i/%s.%s?w=%d&dpr=%g", p.ID, format, width, float64(quarters)/4))
				}
			}
		}
	}
	stranger := client{http: &http.Client{Transport: newTransport(t)}, base: "http://" + s.addr}
	var made, refused, healthy atomic.Int64
	over := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		for {
			select {
			case <-over:
				return
			case <-time.After(10 * time.Millisecond):
			}
			if status, _, _, err := stranger.do(t.Context(), http.MethodGet, "/healthz", nil); status != http.StatusOK {
				t.Errorf("healthz: %d, %v", status, err)
				return
			}
			healthy.Add(1)
		}
	})
	var visitors sync.WaitGroup
	for _, link := range links[:2000] {
		visitors.Go(func() {
			status, header, body, err := stranger.fetch(t.Context(), link)
			switch {
			case status == http.StatusOK && len(body) > 0:
				made.Add(1)
			case status == http.StatusServiceUnavailable:
				if after, err := strconv.Atoi(header.Get("Retry-After")); err != nil || after < 1 {
					t.Errorf("%s: Retry-After %q", link, header.Get("Retry-After"))
				}
				refused.Add(1)
			default:
				t.Errorf("%s: %d, %v", link, status, err)
			}
		})
	}
	visitors.Wait()
	close(over)
	others.Wait()
	peak := peakMemory(t, s.pid())
	t.Logf("%d pictures, %d sent away, healthz answered %d times, peak memory %d MiB", made.Load(), refused.Load(), healthy.Load(), peak>>20)
	if made.Load() == 0 || refused.Load() == 0 || healthy.Load() == 0 {
		t.Errorf("%d pictures, %d sent away, healthz answered %d times", made.Load(), refused.Load(), healthy.Load())
	}
	if peak >= 2*memoryBudget {
		t.Errorf("the server took %d MiB, of %d", peak>>20, 2*memoryBudget>>20)
	}
	s.stop(t)
}
