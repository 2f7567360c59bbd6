package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/variant"
)

// Sources are asked whenever somebody reads the metrics. All but Figures have to answer at once.
type Sources struct {
	Decoders  func() imaging.Stats
	Variants  func() variant.Stats
	LinkCache func() (hits, misses uint64)
	Pool      func() Pool
	// Figures may take a while, and its context ends it: it is asked once a minute at most, and nobody waits for it.
	Figures func(context.Context) (Figures, error)
	// CacheLimit is how many bytes variants may take; 0: any.
	CacheLimit int64
}

// Pool is a snapshot of the database's connections; its counters begin with the process.
type Pool struct {
	Acquired, Idle, Constructing, Max int

	Acquires  uint64
	Waits     uint64
	WaitTime  time.Duration
	Cancelled uint64
	Opened    uint64
}

// Watch registers sources. It is called once.
func (m *Metrics) Watch(s Sources) {
	m.figures = newFigures(m.ctx, s.Figures)
	limit := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "variant_cache_limit_bytes", Help: "Bytes that variants may take; 0: any.",
	})
	limit.Set(float64(s.CacheLimit))
	m.registry.MustRegister(
		snapshot[imaging.Stats]{s.Decoders, decoderReadings()},
		snapshot[variant.Stats]{s.Variants, variantReadings()},
		snapshot[[2]uint64]{func() [2]uint64 {
			hits, misses := s.LinkCache()
			return [2]uint64{hits, misses}
		}, linkReadings()},
		snapshot[Pool]{s.Pool, poolReadings()},
		m.figures, limit,
	)
}

// snapshot reads a struct once for all the metrics that come from it.
type snapshot[T any] struct {
	read     func() T
	readings []reading[T]
}

// reading is one metric of a snapshot.
type reading[T any] struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	labels []string // values
	value  func(T) float64
}

// Describe implements prometheus.Collector.
func (s snapshot[T]) Describe(ch chan<- *prometheus.Desc) {
	for _, r := range s.readings {
		ch <- r.desc
	}
}

// Collect implements prometheus.Collector.
func (s snapshot[T]) Collect(ch chan<- prometheus.Metric) {
	collect(ch, s.read(), s.readings)
}

func collect[T any](ch chan<- prometheus.Metric, from T, readings []reading[T]) {
	for _, r := range readings {
		ch <- prometheus.MustNewConstMetric(r.desc, r.kind, r.value(from), r.labels...)
	}
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+"_"+name, help, labels, nil)
}

func gauge[T any](name, help string, value func(T) float64) reading[T] {
	return reading[T]{describe(name, help), prometheus.GaugeValue, nil, value}
}

func counter[T any](name, help string, value func(T) float64) reading[T] {
	return reading[T]{describe(name, help), prometheus.CounterValue, nil, value}
}

func decoderReadings() []reading[imaging.Stats] {
	type stats = imaging.Stats
	all := []reading[stats]{
		gauge("decoders", "Decoder processes.", func(s stats) float64 { return float64(s.Workers) }),
		gauge("decoders_busy", "Decoder processes at work.", func(s stats) float64 { return float64(s.Busy) }),
		gauge("decoder_memory_bytes", "Bytes that the decoders probably need for what they do now.", func(s stats) float64 { return float64(s.Memory) }),
		gauge("decode_queue_work_seconds", "How long one decoder would probably take for all that waits.",
			func(s stats) float64 { return s.WaitingWork.Seconds() }),
	}
	length := describe("decode_queue_length", "Requests that wait for a decoder.", "priority")
	for priority, value := range map[string]func(stats) int{
		"high":       func(s stats) int { return s.WaitingHigh },
		"normal":     func(s stats) int { return s.Waiting - s.WaitingHigh - s.WaitingBackground },
		"background": func(s stats) int { return s.WaitingBackground },
	} {
		all = append(all, reading[stats]{length, prometheus.GaugeValue, []string{priority}, func(s stats) float64 { return float64(value(s)) }})
	}
	restarts := describe("decoder_restarts_total", "Decoders that died or were replaced, and why: crash, timeout, withdrawn "+
		"(nobody waited for what it did), memory (it kept too much) and age (it had served enough).", "reason")
	for reason, value := range map[string]func(stats) uint64{
		"crash":     func(s stats) uint64 { return s.Crashes },
		"timeout":   func(s stats) uint64 { return s.Timeouts },
		"withdrawn": func(s stats) uint64 { return s.Withdrawn },
		"memory":    func(s stats) uint64 { return s.Bloated },
		"age":       func(s stats) uint64 { return s.Worn },
	} {
		all = append(all, reading[stats]{restarts, prometheus.CounterValue, []string{reason}, func(s stats) float64 { return float64(value(s)) }})
	}
	return all
}

func variantReadings() []reading[variant.Stats] {
	type stats = variant.Stats
	lookups := describe("variant_cache_requests_total", "Requests for variants: the file was there (hit), or had to be made (miss).", "result")
	jobs := describe("variant_jobs", "Variants in the making: asked for, or scheduled for when there is nothing else to do.", "state")
	return []reading[stats]{
		{lookups, prometheus.CounterValue, []string{"hit"}, func(s stats) float64 { return float64(s.Hits) }},
		{lookups, prometheus.CounterValue, []string{"miss"}, func(s stats) float64 { return float64(s.Misses) }},
		{jobs, prometheus.GaugeValue, []string{"asked"}, func(s stats) float64 { return float64(s.Waiting) }},
		{jobs, prometheus.GaugeValue, []string{"scheduled"}, func(s stats) float64 { return float64(s.Scheduled) }},
		counter("variants_made_total", "Files of variants that were made, those that uploads make among them.", func(s stats) float64 { return float64(s.Made) }),
		counter("variants_made_bytes_total", "Bytes of those files.", func(s stats) float64 { return float64(s.MadeBytes) }),
		counter("variants_failed_total", "Variants that were begun and came to nothing.", func(s stats) float64 { return float64(s.Failed) }),
		counter("variants_evicted_total", "Files of variants that were evicted.", func(s stats) float64 { return float64(s.Evicted) }),
		counter("variants_evicted_bytes_total", "Bytes of those files.", func(s stats) float64 { return float64(s.EvictedBytes) }),
	}
}

func linkReadings() []reading[[2]uint64] {
	lookups := describe("link_cache_requests_total", "Requests for pictures: answered from memory (hit), or looked up (miss).", "result")
	return []reading[[2]uint64]{
		{lookups, prometheus.CounterValue, []string{"hit"}, func(n [2]uint64) float64 { return float64(n[0]) }},
		{lookups, prometheus.CounterValue, []string{"miss"}, func(n [2]uint64) float64 { return float64(n[1]) }},
	}
}

func poolReadings() []reading[Pool] {
	connections := describe("db_pool_connections", "Connections to the database.", "state")
	return []reading[Pool]{
		{connections, prometheus.GaugeValue, []string{"acquired"}, func(p Pool) float64 { return float64(p.Acquired) }},
		{connections, prometheus.GaugeValue, []string{"idle"}, func(p Pool) float64 { return float64(p.Idle) }},
		{connections, prometheus.GaugeValue, []string{"constructing"}, func(p Pool) float64 { return float64(p.Constructing) }},
		gauge("db_pool_max_connections", "Connections that there may be.", func(p Pool) float64 { return float64(p.Max) }),
		counter("db_pool_acquires_total", "Connections that were handed out.", func(p Pool) float64 { return float64(p.Acquires) }),
		counter("db_pool_waits_total", "Connections that had to be waited for.", func(p Pool) float64 { return float64(p.Waits) }),
		counter("db_pool_wait_seconds_total", "How long was waited for connections.", func(p Pool) float64 { return p.WaitTime.Seconds() }),
		counter("db_pool_cancelled_waits_total", "Waits for a connection that were given up.", func(p Pool) float64 { return float64(p.Cancelled) }),
		counter("db_pool_opened_total", "Connections that were made.", func(p Pool) float64 { return float64(p.Opened) }),
	}
}
