package imaging

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"
)

// PoolConfig says how many decoders there are and what each may take. Zero values mean the defaults named.
type PoolConfig struct {
	// Command starts a decoder; the memory limit is appended. Default: this binary with the argument "decoder".
	Command []string
	// Env is what a decoder's environment holds besides a few settings of our own ("NAME=value"). It inherits nothing; a
	// libvips in an unusual place may need LD_LIBRARY_PATH.
	Env []string
	// Workers is the number of decoders. Default: the number of CPUs.
	Workers int
	// QueueTime is how long a request may probably have to wait. When what goes before it takes longer, by what is guessed of
	// each picture, it is refused; in the background at a quarter. Default: 10 s.
	QueueTime time.Duration
	// QueueLength is how many requests may wait for a decoder whatever they cost; in the background a quarter. Default: 256
	// for each worker; negative: none may.
	QueueLength int
	// Timeout is how long one request may occupy a decoder; waiting does not count. Default: 30 s.
	Timeout time.Duration
	// MemoryLimit is how many bytes a decoder may map for its work. Default: 1 GiB; negative: no limit. Linux only.
	MemoryLimit int64
	// MemoryBudget is how many bytes all decoders together may need, by what is guessed of each picture: one that does not
	// fit beside the others waits, and one that is larger than all of it runs alone. Default: MemoryLimit; negative: no limit.
	MemoryBudget int64
	// RecycleAfter is the number of requests after which a decoder is replaced, against leaks. Default: 1000.
	RecycleAfter int
	// RecycleAbove is the resident memory, in bytes, that an idle decoder may keep before it is replaced. Default: 256 MiB.
	RecycleAbove int64
	// Observe is told of every request when it is over, with the context that it came with. It must not block. Default: nobody.
	Observe func(context.Context, Work)
	// Log receives crashes, and at debug level what decoders write to standard error. Default: nowhere.
	Log *slog.Logger
}

func (c PoolConfig) withDefaults() (PoolConfig, error) {
	if len(c.Command) == 0 {
		exe, err := thisBinary()
		if err != nil {
			return c, fmt.Errorf("imaging: find this binary: %w", err)
		}
		c.Command = []string{exe, decoderArgument}
	}
	c.Workers = cmp.Or(c.Workers, runtime.NumCPU())
	c.QueueTime = cmp.Or(c.QueueTime, 10*time.Second)
	c.QueueLength = max(0, cmp.Or(c.QueueLength, 256*c.Workers))
	c.Timeout = cmp.Or(c.Timeout, 30*time.Second)
	c.MemoryLimit = max(0, cmp.Or(c.MemoryLimit, 1<<30))
	c.MemoryBudget = max(0, cmp.Or(c.MemoryBudget, c.MemoryLimit))
	c.RecycleAfter = cmp.Or(c.RecycleAfter, 1000)
	c.RecycleAbove = cmp.Or(c.RecycleAbove, 256<<20)
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	return c, nil
}
