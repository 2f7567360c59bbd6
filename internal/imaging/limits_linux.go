package imaging

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// memoryGauge reads the process's memory. It is opened before the sandbox forbids opening files.
type memoryGauge struct{ statm *os.File }

func openMemoryGauge() *memoryGauge {
	f, err := os.Open("/proc/self/statm")
	if err != nil {
		return &memoryGauge{}
	}
	return &memoryGauge{statm: f}
}

func (g *memoryGauge) rss() int64     { return g.field(1) }
func (g *memoryGauge) virtual() int64 { return g.field(0) }

func (g *memoryGauge) field(i int) int64 {
	if g.statm == nil {
		return 0
	}
	var b [128]byte
	n, _ := g.statm.ReadAt(b[:], 0)
	fields := strings.Fields(string(b[:n]))
	if i >= len(fields) {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[i], 10, 64)
	return pages * int64(os.Getpagesize())
}

// limitResources lets the process map memory bytes more than it has mapped now. Go's runtime and thread stacks reserve far
// more addresses than they use (about 1.5 GB, and more under the race detector), so an absolute limit would say nothing.
// Zero means no limit.
func limitResources(memory int64, gauge *memoryGauge) error {
	if err := setLimit(unix.RLIMIT_CORE, 0); err != nil {
		return fmt.Errorf("core: %w", err)
	}
	if err := setLimit(unix.RLIMIT_NOFILE, 64); err != nil {
		return fmt.Errorf("files: %w", err)
	}
	if base := gauge.virtual(); memory > 0 && base > 0 {
		if err := setLimit(unix.RLIMIT_AS, uint64(base+memory)); err != nil {
			return fmt.Errorf("memory: %w", err)
		}
	}
	return nil
}

func setLimit(resource int, value uint64) error {
	return unix.Setrlimit(resource, &unix.Rlimit{Cur: value, Max: value})
}
