package metrics

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// httpMetrics count requests and uploads.
type httpMetrics struct {
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
	sent     *prometheus.CounterVec
	inFlight prometheus.Gauge
	uploads  *prometheus.CounterVec
	received prometheus.Counter

	tallies *tallies
}

func newHTTPMetrics(r prometheus.Registerer, uploadOutcomes []string) httpMetrics {
	h := httpMetrics{
		requests: counters("http_requests_total",
			"Requests that are over, by operation; 499 is a client that did not wait.", "operation", "method", "status"),
		// A remembered link takes some 50 µs, a page of a list a millisecond or two, a thumbnail that has to be made 50 ms, an
		// upload as long as its sender takes.
		took: prometheus.NewHistogramVec(histogram("http_request_duration_seconds", "How long requests took, to the reply's last byte.",
			[]float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}),
			[]string{"operation", "status_class"}),
		sent: counters("http_response_bytes_total",
			"Bytes of replies' bodies that the server itself sent; what the gateway sends for it is not among them.", "operation"),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "http_requests_in_flight", Help: "Requests under way.",
		}),
		uploads: counters("uploads_total", "Uploads that are over.", "outcome"),
		received: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "upload_received_bytes_total", Help: "Bytes of uploads that came in, whatever became of them.",
		}),
		tallies: &tallies{known: map[tallyKey]*Tally{}},
	}
	r.MustRegister(h.requests, h.took, h.sent, h.inFlight, h.uploads, h.received)
	for _, outcome := range uploadOutcomes {
		h.uploads.WithLabelValues(outcome)
	}
	return h
}

// Started says that a request has begun.
func (m *Metrics) Started() { m.http.inFlight.Inc() }

// Ended says that a request is over.
func (m *Metrics) Ended() { m.http.inFlight.Dec() }

// Uploaded counts an upload, and the bytes of its body that came in.
func (m *Metrics) Uploaded(outcome string, received int64) {
	m.http.uploads.WithLabelValues(outcome).Inc()
	m.http.received.Add(float64(received))
}

// Tally is where requests are counted that ended alike.
type Tally struct {
	requests, sent prometheus.Counter
	took           prometheus.Observer
}

// Add counts a request, with the bytes of its reply's body. It does not allocate.
func (t *Tally) Add(size int64, took time.Duration) {
	t.requests.Inc()
	t.sent.Add(float64(size))
	t.took.Observe(took.Seconds())
}

// tallies are kept by what is told of a request: to find them by their labels takes longer.
type tallies struct {
	mu    sync.RWMutex
	known map[tallyKey]*Tally
}

type tallyKey struct {
	operation, method string
	status            int
}

// Tally returns where requests are counted that ended alike. Operations and methods have to be few.
func (m *Metrics) Tally(operation, method string, status int) *Tally {
	t, k := m.http.tallies, tallyKey{operation, method, status}
	t.mu.RLock()
	tally := t.known[k]
	t.mu.RUnlock()
	if tally != nil {
		return tally
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	tally = &Tally{
		requests: m.http.requests.WithLabelValues(operation, method, strconv.Itoa(status)),
		sent:     m.http.sent.WithLabelValues(operation),
		took:     m.http.took.WithLabelValues(operation, statusClass(status)),
	}
	t.known[k] = tally
	return tally
}

func statusClass(status int) string {
	if status < 100 || status > 599 {
		return "other"
	}
	return strconv.Itoa(status/100) + "xx"
}
