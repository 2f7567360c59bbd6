package variant

import (
	"sync"
	"time"

	"github.com/kadr-app/kadr/internal/blob"
)

// usage collects which variants were used, until they are taken to the store. Where nothing is forgotten the same few
// thousand are used again and again: then nothing is allocated.
type usage struct {
	shards [16]usageShard
}

type usageShard struct {
	mu   sync.Mutex
	last map[key]int64 // Unix seconds
}

// maxUses bounds what one shard collects. More variants than that in a few seconds are a crawler, and not a reason to keep
// what it sees.
const maxUses = 4096

func (u *usage) add(k key, at int64) {
	s := &u.shards[k.ref[0]%uint8(len(u.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = map[key]int64{}
	}
	if _, known := s.last[k]; known || len(s.last) < maxUses {
		s.last[k] = at
	}
}

// take returns what was collected, and begins anew.
func (u *usage) take() []Use {
	var all []Use
	for i := range u.shards {
		s := &u.shards[i]
		s.mu.Lock()
		for k, at := range s.last {
			all = append(all, Use{Ref: k.ref, Name: k.name, At: time.Unix(at, 0)})
		}
		clear(s.last) // and keep its room
		s.mu.Unlock()
	}
	return all
}

// Used says that a variant was sent, by whatever way, so that it is not evicted. It costs next to nothing; the store hears
// of it some seconds later.
func (m *Maker) Used(ref blob.Ref, name string) {
	m.counts.hits.Add(1)
	m.use(key{ref, name})
}

func (m *Maker) use(k key) { m.uses.add(k, time.Now().Unix()) }
