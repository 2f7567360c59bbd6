package metrics_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/metrics"
	"github.com/kadr-app/kadr/internal/variant"
)

func newMetrics(figures func(context.Context) (metrics.Figures, error)) *metrics.Metrics {
	m := metrics.New("v1.2.3", metrics.Labels{UploadOutcomes: []string{"created"}, Sweeps: []string{"blobs"}})
	m.Watch(metrics.Sources{
		Decoders: func() imaging.Stats {
			return imaging.Stats{Workers: 2, Waiting: 6, WaitingHigh: 1, WaitingBackground: 2, Crashes: 7}
		},
		Variants: func() variant.Stats { return variant.Stats{Hits: 5} }, LinkCache: func() (uint64, uint64) { return 3, 4 },
		Pool: func() metrics.Pool { return metrics.Pool{Max: 8} }, Figures: figures,
	})
	return m
}

func noFigures(context.Context) (metrics.Figures, error) { return metrics.Figures{}, nil }

func read(t *testing.T, h http.Handler, method, path string) (int, http.Header, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, w.Header(), string(body)
}

func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	status, _, body := read(t, m.Handler(slog.New(slog.DiscardHandler)), http.MethodGet, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	return body
}

func wantLines(t *testing.T, page string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(page, "\n"+line+"\n") {
			t.Errorf("there is no line %q", line)
		}
	}
}

func TestNamesAreGood(t *testing.T) {
	t.Parallel()
	m := newMetrics(noFigures)
	m.Tally("getFile", http.MethodGet, http.StatusOK).Add(1, time.Millisecond)
	problems, err := testutil.GatherAndLint(m.Gatherer())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestWhatIsToldIsShown(t *testing.T) {
	t.Parallel()
	m := newMetrics(noFigures)
	m.Started()
	m.Started()
	m.Ended()
	m.Tally("getFile", http.MethodGet, http.StatusNotFound).Add(120, 3*time.Millisecond)
	m.Tally("getFile", http.MethodGet, http.StatusNotFound).Add(30, 3*time.Millisecond)
	m.Tally("unknown", "other", 42).Add(0, time.Millisecond)
	m.Uploaded("created", 1000)
	m.Decoded(imaging.Work{Step: "render", Outcome: imaging.OutcomeOK, Priority: imaging.PriorityHigh, Waited: time.Second, Worked: 2 * time.Second})
	m.Decoded(imaging.Work{Step: "ingest", Outcome: imaging.OutcomeBusy})
	m.Swept("blobs", 3, time.Second, false)
	m.Swept("blobs", 0, time.Second, true)
	wantLines(t, scrape(t, m),
		`kadr_http_requests_in_flight 1`,
		`kadr_http_requests_total{method="GET",operation="getFile",status="404"} 2`,
		`kadr_http_response_bytes_total{operation="getFile"} 150`,
		`kadr_http_request_duration_seconds_bucket{operation="getFile",status_class="4xx",le="0.0025"} 0`,
		`kadr_http_request_duration_seconds_bucket{operation="getFile",status_class="4xx",le="0.005"} 2`,
		`kadr_http_request_duration_seconds_count{operation="unknown",status_class="other"} 1`,
		`kadr_uploads_total{outcome="created"} 1`,
		`kadr_upload_received_bytes_total 1000`,
		`kadr_decodes_total{outcome="ok",step="render"} 1`,
		`kadr_decodes_total{outcome="busy",step="ingest"} 1`,
		`kadr_decode_wait_seconds_sum{priority="high"} 1`,
		`kadr_decode_duration_seconds_sum{step="render"} 2`,
		`kadr_decode_duration_seconds_count{step="ingest"} 0`, // it never had a decoder
		`kadr_sweeps_total{outcome="failed",sweep="blobs"} 1`,
		`kadr_sweep_removed_total{sweep="blobs"} 3`,
		`kadr_sweep_seconds_total{sweep="blobs"} 2`,
		`kadr_decode_queue_length{priority="normal"} 3`,
		`kadr_decoder_restarts_total{reason="crash"} 7`,
		`kadr_variant_cache_requests_total{result="hit"} 5`,
		`kadr_link_cache_requests_total{result="miss"} 4`,
		`kadr_db_pool_max_connections 8`,
	)
}

func TestPageAnswersToReadersOnly(t *testing.T) {
	t.Parallel()
	h := newMetrics(noFigures).Handler(slog.New(slog.DiscardHandler))
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{http.MethodGet, "/metrics", http.StatusOK},
		{http.MethodHead, "/metrics", http.StatusOK},
		{http.MethodPost, "/metrics", http.StatusMethodNotAllowed},
		{http.MethodDelete, "/metrics", http.StatusMethodNotAllowed},
		{http.MethodGet, "/", http.StatusNotFound},
		{http.MethodGet, "/api/v1/images", http.StatusNotFound},
	} {
		status, header, _ := read(t, h, c.method, c.path)
		if status != c.want {
			t.Errorf("%s %s: %d", c.method, c.path, status)
		}
		if allow := header.Get("Allow"); status == http.StatusMethodNotAllowed && allow != "GET, HEAD" {
			t.Errorf("%s %s allows %q", c.method, c.path, allow)
		}
	}
}

// Whoever looks often makes the database count no more than once a minute, and less often where that takes long.
func TestFiguresAreReadNowAndThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reads, takes atomic.Int64
		m := newMetrics(func(context.Context) (metrics.Figures, error) {
			time.Sleep(time.Duration(takes.Load()))
			return metrics.Figures{Images: 40 + reads.Add(1)}, nil
		})
		for range 5 {
			wantLines(t, scrape(t, m), "kadr_images 41")
			time.Sleep(10 * time.Second)
		}
		takes.Store(int64(6 * time.Second)) // the next one, which makes the one after it come two minutes later
		time.Sleep(10 * time.Second)
		start := time.Now()
		wantLines(t, scrape(t, m), "kadr_images 41")
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("whoever looked waited %s", waited)
		}
		start = time.Now()
		scrape(t, m) // while it is read
		if waited := time.Since(start); waited != 0 {
			t.Errorf("the next one waited %s", waited)
		}
		time.Sleep(6 * time.Second)
		for range 11 {
			wantLines(t, scrape(t, m), "kadr_images 42")
			time.Sleep(10 * time.Second)
		}
		takes.Store(0)
		time.Sleep(10 * time.Second)
		wantLines(t, scrape(t, m), "kadr_images 43")
	})
}

// A database that is gone takes none of the other metrics with it, and what was known stays.
func TestFiguresThatCannotBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var gone atomic.Bool
		gone.Store(true)
		m := newMetrics(func(ctx context.Context) (metrics.Figures, error) {
			if !gone.Load() {
				return metrics.Figures{Images: 5}, nil
			}
			<-ctx.Done()
			return metrics.Figures{}, errors.Join(errors.New("it does not answer"), ctx.Err())
		})
		page := scrape(t, m)
		wantLines(t, page, "kadr_decoders 2", "kadr_figures_failures_total 0")
		if strings.Contains(page, "kadr_images") {
			t.Error("pictures are counted that nobody has counted")
		}
		time.Sleep(10 * time.Minute)
		gone.Store(false)
		wantLines(t, scrape(t, m), "kadr_images 5", "kadr_figures_failures_total 1")
		gone.Store(true)
		time.Sleep(time.Minute)
		scrape(t, m)
		time.Sleep(10 * time.Second)
		wantLines(t, scrape(t, m), "kadr_images 5", "kadr_figures_failures_total 2")
		time.Sleep(10 * time.Minute)
		go func() { _, _ = m.Gatherer().Gather() }()
		synctest.Wait()
		start := time.Now()
		m.Close() // while it hangs
		synctest.Wait()
		wantLines(t, scrape(t, m), "kadr_figures_failures_total 3")
		if waited := time.Since(start); waited != 0 {
			t.Errorf("it hung for another %s", waited)
		}
	})
}

// What every picture that is sent costs.
func TestTallyDoesNotAllocate(t *testing.T) {
	m := newMetrics(noFigures)
	tally := m.Tally("getFile", http.MethodGet, http.StatusOK)
	took := time.Microsecond
	tally.Add(20_000, took)
	allocs := testing.AllocsPerRun(1000, func() {
		m.Started()
		tally.Add(20_000, took)
		m.Ended()
	})
	if allocs > 0 {
		t.Errorf("%v allocations for each request", allocs)
	}
}

func BenchmarkTally(b *testing.B) {
	m := newMetrics(noFigures)
	tally := m.Tally("getFile", http.MethodGet, http.StatusOK)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		took := 30 * time.Microsecond
		for pb.Next() {
			took += time.Nanosecond
			m.Started()
			tally.Add(20_000, took)
			m.Ended()
		}
	})
}

func BenchmarkTallyOf(b *testing.B) {
	m := newMetrics(noFigures)
	b.ReportAllocs()
	for b.Loop() {
		m.Started()
		m.Tally("getFile", http.MethodGet, http.StatusOK).Add(20_000, 30*time.Microsecond)
		m.Ended()
	}
}
