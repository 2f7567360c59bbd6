package variant

import "sync/atomic"

// Stats is a snapshot of a Maker's gauges and counters; the counters begin with the process.
type Stats struct {
	Waiting   int // variants in the making that somebody asked for
	Scheduled int // that wait to be made in the background

	Hits, Misses          uint64 // requests for a variant whose file was there, or had to be made
	Made, MadeBytes       uint64 // files, masters included
	Failed                uint64 // variants and masters that were begun and came to nothing
	Evicted, EvictedBytes uint64 // files
}

type counts struct {
	hits, misses, made, madeBytes, failed, evicted, evictedBytes atomic.Uint64
}

// Stats returns the Maker's counters.
func (m *Maker) Stats() Stats {
	m.mu.Lock()
	s := Stats{Waiting: m.waiting, Scheduled: len(m.scheduled)}
	m.mu.Unlock()
	c := &m.counts
	s.Hits, s.Misses, s.Failed = c.hits.Load(), c.misses.Load(), c.failed.Load()
	s.Made, s.MadeBytes = c.made.Load(), c.madeBytes.Load()
	s.Evicted, s.EvictedBytes = c.evicted.Load(), c.evictedBytes.Load()
	return s
}
