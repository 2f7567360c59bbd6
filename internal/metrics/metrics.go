// Package metrics is what Kadr tells Prometheus: it owns the names of all metrics, their registration and the page that they
// are read from.
//
// The rooms that do the work know nothing of it. They keep plain counters, which are read when somebody looks (Sources), or
// tell of a thing when it is over by a hook of their own (internal/app puts the two together). A registry belongs to one
// App, since many may run in one process.
//
// It is built on prometheus/client_golang because the format, the native histograms and the collectors of the Go runtime and
// of the process are not worth writing again.
package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kadr-app/kadr/internal/imaging"
)

// namespace begins all names but those of the Go runtime's and the process's collectors.
const namespace = "kadr"

// Metrics is one App's metrics. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	http     httpMetrics
	work     workMetrics
	figures  *figures

	ctx  context.Context // until Close
	stop context.CancelFunc
}

// Labels are the values of labels that are known beforehand, so that their counters are there, with 0, from the start: a rate
// can only be taken of what was there before.
type Labels struct{ UploadOutcomes, Sweeps []string }

// New returns Metrics with nothing counted. The caller must Close them.
func New(version string, labels Labels) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.ctx, m.stop = context.WithCancel(context.Background())
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "The version that runs; always 1.",
	}, []string{"version", "go_version"})
	build.WithLabelValues(version, runtime.Version()).Set(1)
	m.registry.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.http = newHTTPMetrics(m.registry, labels.UploadOutcomes)
	m.work = newWorkMetrics(m.registry, labels.Sweeps)
	return m
}

// Close ends a reading of the Figures that is under way: whoever closes its sources need not wait for it.
func (m *Metrics) Close() { m.stop() }

// Gatherer returns what the page is made of.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// How much the page may be asked for: Prometheus asks one at a time, a few times a minute.
const (
	maxScrapes    = 4
	scrapeTimeout = 10 * time.Second
)

// Handler serves /metrics, to GET and HEAD, and nothing else.
func (m *Metrics) Handler(log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes, Timeout: scrapeTimeout, EnableOpenMetrics: true,
	}))
	return mux
}

// histogram is one with both kinds of buckets: the given ones, which every Prometheus reads, and native ones, which are finer
// and cost less, and which it has to be told to read.
func histogram(name, help string, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
	}
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

// workMetrics count what is told when it is over.
type workMetrics struct {
	decodes      *prometheus.CounterVec
	decodeTime   *prometheus.HistogramVec
	decodeWait   *prometheus.HistogramVec
	sweeps       *prometheus.CounterVec
	sweepRemoved *prometheus.CounterVec
	sweepTime    *prometheus.CounterVec
}

func newWorkMetrics(r prometheus.Registerer, sweeps []string) workMetrics {
	w := workMetrics{
		decodes: counters("decodes_total", "Requests to the decoders that are over.", "step", "outcome"),
		// A thumbnail from a master takes 10 ms, a large AVIF seconds; the timeout is 30 s.
		decodeTime: prometheus.NewHistogramVec(histogram("decode_duration_seconds", "How long a decoder worked on a request.",
			[]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}), []string{"step"}),
		decodeWait: prometheus.NewHistogramVec(histogram("decode_wait_seconds", "How long a request waited for a decoder.",
			[]float64{.001, .005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30}), []string{"priority"}),
		sweeps:       counters("sweeps_total", "Sweeps that are over.", "sweep", "outcome"),
		sweepRemoved: counters("sweep_removed_total", "Files and rows that sweeps removed.", "sweep"),
		sweepTime:    counters("sweep_seconds_total", "How long sweeps took.", "sweep"),
	}
	r.MustRegister(w.decodes, w.decodeTime, w.decodeWait, w.sweeps, w.sweepRemoved, w.sweepTime)
	for _, step := range imaging.Steps() {
		w.decodeTime.WithLabelValues(step)
		for _, outcome := range imaging.Outcomes() {
			w.decodes.WithLabelValues(step, outcome)
		}
	}
	for _, p := range []imaging.Priority{imaging.PriorityHigh, imaging.PriorityNormal, imaging.PriorityBackground} {
		w.decodeWait.WithLabelValues(priorityName(p))
	}
	for _, sweep := range sweeps {
		w.sweeps.WithLabelValues(sweep, "ok")
		w.sweeps.WithLabelValues(sweep, "failed")
		w.sweepRemoved.WithLabelValues(sweep)
		w.sweepTime.WithLabelValues(sweep)
	}
	return w
}

func priorityName(p imaging.Priority) string {
	switch {
	case p < imaging.PriorityNormal:
		return "high"
	case p > imaging.PriorityNormal:
		return "background"
	}
	return "normal"
}

// Decoded counts a request to the decoders.
func (m *Metrics) Decoded(w imaging.Work) {
	m.work.decodes.WithLabelValues(w.Step, w.Outcome).Inc()
	m.work.decodeWait.WithLabelValues(priorityName(w.Priority)).Observe(w.Waited.Seconds())
	if w.Worked > 0 {
		m.work.decodeTime.WithLabelValues(w.Step).Observe(w.Worked.Seconds())
	}
}

// Swept counts a sweep.
func (m *Metrics) Swept(sweep string, removed int, took time.Duration, failed bool) {
	outcome := "ok"
	if failed {
		outcome = "failed"
	}
	m.work.sweeps.WithLabelValues(sweep, outcome).Inc()
	m.work.sweepRemoved.WithLabelValues(sweep).Add(float64(removed))
	m.work.sweepTime.WithLabelValues(sweep).Add(took.Seconds())
}
