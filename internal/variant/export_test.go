package variant

import "context"

// Trim is what Run does once a minute.
func (m *Maker) Trim(ctx context.Context) { m.trim(ctx) }

// Flush is what Run does every few seconds.
func (m *Maker) Flush(ctx context.Context) { m.flush(ctx) }

// Jobs is how many jobs are not done.
func (m *Maker) Jobs() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.jobs)
}

// MasterName is the name of a JPEG's master.
const MasterName = generation + "-master.jpg"

// FromMaster and MasterOf are the rules of masters.
func FromMaster(src Source, shape, master Shape) bool { return fromMaster(src, shape, master) }

func (m *Maker) MasterOf(src Source) (Shape, bool) {
	shape, _, ok := m.masterOf(src)
	return shape, ok
}
