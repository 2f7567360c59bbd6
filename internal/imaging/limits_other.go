//go:build !linux

package imaging

import "golang.org/x/sys/unix"

// memoryGauge knows the peak only.
type memoryGauge struct{}

func openMemoryGauge() *memoryGauge { return &memoryGauge{} }

func (*memoryGauge) rss() int64 {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return usage.Maxrss
}

// limitResources cannot limit memory here: macOS accepts RLIMIT_AS and ignores it.
func limitResources(int64, *memoryGauge) error {
	return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
}
