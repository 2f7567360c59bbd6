package variant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/imaging"
)

// Decoders makes pictures; *imaging.Pool does, in processes of their own.
type Decoders interface {
	Render(ctx context.Context, src *os.File, req imaging.RenderRequest) ([]imaging.Rendered, error)
}

// Config says what a Maker makes and keeps. Where a zero value has no meaning of its own, it stands for the default.
type Config struct {
	Limits imaging.Limits
	// CacheBytes is how much room the files may take, those of all replicas together; 0: as much as there is.
	CacheBytes int64
	// MasterSide is the longer side of masters in pixels; 0: there are none.
	MasterSide int
	// AVIFEffort is the effort of the AVIF encoder; 0: the format's default.
	AVIFEffort int
	// MaxWaiting is how many variants may be in the making in this process, those that wait included; beyond it there is
	// imaging.ErrBusy at once. Default: 64 for each CPU.
	MaxWaiting int
	// ClaimLifetime is how long after the death of a replica others wait for what it was making. Default: 15 s.
	ClaimLifetime time.Duration
	// Idle is how long a file must not have been used to be evicted. Default: 5 minutes.
	Idle time.Duration
	// Log receives what goes wrong where nobody can be told. Default: nowhere.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.MaxWaiting = cmp.Or(c.MaxWaiting, 64*runtime.NumCPU())
	c.ClaimLifetime = cmp.Or(c.ClaimLifetime, 15*time.Second)
	c.Idle = cmp.Or(c.Idle, 5*time.Minute)
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	return c
}

// What a Maker remembers of files and failures, in entries; one takes about half a kilobyte.
const (
	maxDigests  = 16 << 10
	maxFailures = 4 << 10
)

// openAttempts bounds how often Open begins again when what was made is gone before it could be opened.
const openAttempts = 4

// Maker makes variants and keeps them as files. It is safe for concurrent use.
//
// A variant is made once: in one process because whoever asks for it joins the job that is under way, and among replicas
// because a job has to hold the claim on it (see Store). What is asked for of one picture within a moment is one batch, and
// comes from one decode.
type Maker struct {
	store    Store
	blobs    blob.Store
	decoders Decoders
	cfg      Config

	uses     usage
	digests  *lru.Cache[key, digest]
	failures *lru.Cache[key, failure]
	grown    atomic.Int64 // bytes that were made since the last look at how much there is
	counts   counts

	ctx     context.Context // of the work; it ends with Run
	stop    context.CancelFunc
	working sync.WaitGroup
	wake    chan struct{} // receives when something is scheduled

	mu        sync.Mutex
	closed    bool
	jobs      map[key]*job        // all that are not done
	gathering map[blob.Ref]*batch // that can still be joined
	waiting   int                 // jobs that somebody asked for
	made      []Entry             // that are not on record yet
	scheduled []*job              // jobs that nobody waits for and that are not begun
}

// key names a variant.
type key struct {
	ref  blob.Ref
	name string
}

func (k key) String() string { return k.ref.String() + "/" + k.name }

// NewMaker returns a Maker. It makes what is asked for right away; Run does the rest.
func NewMaker(store Store, blobs blob.Store, decoders Decoders, cfg Config) *Maker {
	m := &Maker{
		store: store, blobs: blobs, decoders: decoders, cfg: cfg.withDefaults(), wake: make(chan struct{}, 1),
		jobs: map[key]*job{}, gathering: map[blob.Ref]*batch{},
	}
	m.digests, _ = lru.New[key, digest](maxDigests) // fails for sizes below 1 only
	m.failures, _ = lru.New[key, failure](maxFailures)
	m.ctx, m.stop = context.WithCancel(context.Background())
	return m
}

// File is a variant or master on its way out. The caller closes it. Its time must not be shown to anybody: the file may be
// older than the picture that it is sent for, when somebody else stored the same bytes before.
type File struct {
	*os.File
	Path   string   // slash-separated below the storage, as blob.VariantPath has it; empty: it is in memory alone
	Size   int64    // bytes
	Digest [16]byte // the first half of the SHA-256 of the bytes
}

// Open opens a variant, and makes it first when it is not there. The shape is normalized and is not the original itself.
// It counts as a use. When ctx ends, the work goes on: others may wait for it, or come back.
//
// It returns imaging's errors, those of the picture for some minutes without another try, and imaging.ErrBusy (with
// RetryAfter) at once when too much waits; blob.ErrNotFound when the picture's bytes are gone. On a full disk the picture is
// made and not kept.
func (m *Maker) Open(ctx context.Context, src Source, shape Shape) (*File, error) {
	k := key{src.Ref, shape.Name()}
	for attempt := range openAttempts {
		f, err := m.lookup(ctx, k)
		if err == nil {
			if attempt == 0 {
				m.counts.hits.Add(1)
			}
			m.use(k)
			return f, nil
		}
		if !errors.Is(err, blob.ErrVariantNotFound) {
			return nil, err
		}
		if attempt == 0 {
			m.counts.misses.Add(1)
		}
		j, err := m.ask(ctx, src, shape, k)
		if err != nil {
			return nil, err
		}
		select {
		case <-j.done:
			if j.err != nil && !errors.Is(j.err, errAgain) {
				return nil, j.err
			}
			if j.unkept != nil {
				return openUnkept(j.unkept)
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, fmt.Errorf("variant: %s goes as soon as it is made", k)
}

// AtHand opens a variant that is there, and is blob.ErrVariantNotFound otherwise. It does not count as a use.
func (m *Maker) AtHand(ctx context.Context, src Source, shape Shape) (*File, error) {
	return m.lookup(ctx, key{src.Ref, shape.Name()})
}

// lookup opens a file.
func (m *Maker) lookup(ctx context.Context, k key) (*File, error) {
	f, err := m.blobs.OpenVariant(ctx, k.ref, k.name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		var sum [16]byte
		if sum, err = m.digest(k, f, info); err == nil {
			return &File{File: f, Path: blob.VariantPath(k.ref, k.name), Size: info.Size(), Digest: sum}, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("variant: read %s: %w", k, err), f.Close())
}

// exists tells whether a variant's file is there.
func (m *Maker) exists(ctx context.Context, k key) bool {
	f, err := m.blobs.OpenVariant(ctx, k.ref, k.name)
	if err != nil {
		return false
	}
	_ = f.Close() // nothing was read
	return true
}
