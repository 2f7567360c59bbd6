package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Figures say how much there is, in all replicas together, and how much room is left.
type Figures struct {
	DatabaseBytes        int64 // of the database on its disk
	Accounts, Sessions   int64
	Images               int64
	Blobs, BlobBytes     int64 // originals, each counted once
	Lost                 int64 // originals whose bytes are missing or damaged
	Variants, CacheBytes int64 // files

	StorageBytes, StorageFree int64 // of the pictures' file system; StorageFree is what Kadr may still use of it
}

// Figures are read at most this often, and less often where it takes long: one part in figuresShare of the time.
const (
	figuresInterval = time.Minute
	figuresShare    = 20
	// figuresTimeout bounds how long one reading may take, and figuresPatience how long whoever looks waits for it.
	figuresTimeout  = 10 * time.Second
	figuresPatience = time.Second
)

// figures keeps what was read last. It is read because somebody looks, so that nothing is read where nobody does.
type figures struct {
	ctx      context.Context // of the readings; Metrics.Close ends it
	read     func(context.Context) (Figures, error)
	readings []reading[Figures]
	at, fail *prometheus.Desc

	mu       sync.Mutex
	last     Figures
	taken    time.Time // when; zero before the first
	next     time.Time // not before then
	reading  bool
	failures uint64
}

func newFigures(ctx context.Context, read func(context.Context) (Figures, error)) *figures {
	return &figures{
		ctx: ctx, read: read, readings: figureReadings(),
		at:   describe("figures_timestamp_seconds", "When the figures were read that say how much there is."),
		fail: describe("figures_failures_total", "How often they could not be read."),
	}
}

// current returns what is known, after a short wait when it is time to read it again.
func (f *figures) current() (figures Figures, taken time.Time, failures uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); !f.reading && !now.Before(f.next) {
		f.reading = true
		done := make(chan struct{})
		go f.refresh(done)
		f.mu.Unlock()
		patience := time.NewTimer(figuresPatience)
		select {
		case <-done:
		case <-patience.C:
		}
		patience.Stop()
		f.mu.Lock()
	}
	return f.last, f.taken, f.failures
}

func (f *figures) refresh(done chan<- struct{}) {
	defer close(done)
	ctx, cancel := context.WithTimeout(f.ctx, figuresTimeout)
	defer cancel()
	start := time.Now()
	read, err := f.read(ctx)
	now := time.Now()

	f.mu.Lock()
	defer f.mu.Unlock()
	f.reading = false
	f.next = now.Add(max(figuresInterval-time.Second, figuresShare*now.Sub(start))) // the second: who looks every minute gets it
	if err != nil {
		f.failures++
		return
	}
	f.last, f.taken = read, now
}

// Describe implements prometheus.Collector.
func (f *figures) Describe(ch chan<- *prometheus.Desc) {
	for _, r := range f.readings {
		ch <- r.desc
	}
	ch <- f.at
	ch <- f.fail
}

// Collect implements prometheus.Collector. What was never read is left out.
func (f *figures) Collect(ch chan<- prometheus.Metric) {
	figures, taken, failures := f.current()
	ch <- prometheus.MustNewConstMetric(f.fail, prometheus.CounterValue, float64(failures))
	if taken.IsZero() {
		return
	}
	ch <- prometheus.MustNewConstMetric(f.at, prometheus.GaugeValue, float64(taken.UnixMilli())/1000)
	collect(ch, figures, f.readings)
}

func figureReadings() []reading[Figures] {
	figure := func(name, help string, value func(Figures) int64) reading[Figures] {
		return gauge(name, help, func(f Figures) float64 { return float64(value(f)) })
	}
	return []reading[Figures]{
		figure("db_size_bytes", "Bytes that the database takes on its disk.", func(f Figures) int64 { return f.DatabaseBytes }),
		figure("accounts", "Accounts.", func(f Figures) int64 { return f.Accounts }),
		figure("sessions", "Browsers that are signed in.", func(f Figures) int64 { return f.Sessions }),
		figure("images", "Pictures, in all accounts.", func(f Figures) int64 { return f.Images }),
		figure("blobs", "Originals, each counted once however many accounts have it.", func(f Figures) int64 { return f.Blobs }),
		figure("blob_bytes", "Bytes of the originals.", func(f Figures) int64 { return f.BlobBytes }),
		figure("blobs_lost", "Originals that doctor found missing or damaged.", func(f Figures) int64 { return f.Lost }),
		figure("variants", "Files of variants.", func(f Figures) int64 { return f.Variants }),
		figure("variant_cache_bytes", "Bytes of the variants.", func(f Figures) int64 { return f.CacheBytes }),
		figure("storage_size_bytes", "Size of the file system that the pictures are on.", func(f Figures) int64 { return f.StorageBytes }),
		figure("storage_free_bytes", "Bytes of it that are free for Kadr.", func(f Figures) int64 { return f.StorageFree }),
	}
}
