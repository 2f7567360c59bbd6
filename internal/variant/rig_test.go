package variant_test

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/postgres"
	"github.com/kadr-app/kadr/internal/testdb"
	"github.com/kadr-app/kadr/internal/variant"
)

var shared = sync.OnceValues(func() (*imaging.Pool, error) { return imaging.NewPool(imaging.PoolConfig{Workers: 2}) })

func TestMain(m *testing.M) {
	imaging.DecoderMain()
	code := m.Run()
	if pool, err := shared(); err == nil {
		pool.Close()
	}
	os.Exit(code)
}

// decoders are the real ones. They count what comes, and let a test step in before.
type decoders struct {
	*imaging.Pool
	before func(src *os.File, req imaging.RenderRequest) error // nil: nothing

	renders, now, peak atomic.Int64
	mu                 sync.Mutex
	requests           []imaging.RenderRequest
}

func (d *decoders) Render(ctx context.Context, src *os.File, req imaging.RenderRequest) ([]imaging.Rendered, error) {
	d.renders.Add(1)
	d.peak.Store(max(d.peak.Load(), d.now.Add(1))) // not exact, and near enough
	defer d.now.Add(-1)
	d.mu.Lock()
	d.requests = append(d.requests, req)
	d.mu.Unlock()
	if d.before != nil {
		if err := d.before(src, req); err != nil {
			return nil, err
		}
	}
	return d.Pool.Render(ctx, src, req)
}

// last is the last request that came.
func (d *decoders) last() imaging.RenderRequest {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.requests[len(d.requests)-1]
}

// rig is a database and a storage, for any number of replicas.
type rig struct {
	t     *testing.T
	db    *testdb.DB
	blobs *blob.Dir
	*decoders
}

func newRig(t *testing.T) *rig {
	t.Helper()
	pool, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := blob.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t: t, db: testdb.New(t), blobs: blobs, decoders: &decoders{Pool: pool}}
}

// store returns a store with connections of its own.
func (r *rig) store() *postgres.VariantStore { return postgres.NewVariantStore(r.open()) }

func (r *rig) open() *postgres.DB {
	r.t.Helper()
	db, err := postgres.Open(r.t.Context(), r.db.URL, postgres.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(db.Close)
	return db
}

// maker is a replica. Its work ends with the test.
func (r *rig) maker(cfg variant.Config) *variant.Maker { return r.makerOver(r.store(), cfg) }

// slowClaims is a store whose claims take long enough for whatever a test asks for at once to come meanwhile, however busy
// the machine is.
type slowClaims struct{ variant.Store }

func (s slowClaims) Claim(ctx context.Context, ref blob.Ref, names []string, lifetime time.Duration) ([]variant.Claim, error) {
	time.Sleep(200 * time.Millisecond)
	return s.Store.Claim(ctx, ref, names, lifetime)
}

func (r *rig) makerOver(store variant.Store, cfg variant.Config) *variant.Maker {
	m := variant.NewMaker(store, r.blobs, r.decoders, cfg)
	r.t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		m.Run(ended)
	})
	return m
}

// photo is a JPEG of a gradient that the seed tints.
func photo(width, height int, seed uint8) []byte {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.SetRGBA(x, y, color.RGBA{uint8(x * 255 / width), uint8(y * 255 / height), seed, 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 90}); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// put stores bytes as an upload does.
func (r *rig) put(data []byte) blob.Ref {
	r.t.Helper()
	staged, err := r.blobs.Stage(r.t.Context(), bytes.NewReader(data), int64(len(data)))
	if err != nil {
		r.t.Fatal(err)
	}
	defer staged.Discard()
	ref := staged.Ref()
	r.exec(`INSERT INTO blobs (ref, size) VALUES ($1, $2)`, ref[:], len(data))
	if err := r.blobs.Commit(r.t.Context(), staged); err != nil {
		r.t.Fatal(err)
	}
	return ref
}

func (r *rig) picture(width, height int, seed uint8) variant.Source {
	r.t.Helper()
	return variant.Source{
		Ref: r.put(photo(width, height, seed)), Format: imaging.JPEG, Width: width, Height: height, Frames: 1,
	}
}

func (r *rig) exec(sql string, args ...any) {
	r.t.Helper()
	if _, err := r.db.Pool.Exec(r.t.Context(), sql, args...); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) int(sql string, args ...any) (n int) {
	r.t.Helper()
	if err := r.db.Pool.QueryRow(r.t.Context(), sql, args...).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

// files lists the variants in the storage, by name.
func (r *rig) files() map[string]int64 {
	r.t.Helper()
	found := map[string]int64{}
	err := r.blobs.Walk(r.t.Context(), func(e blob.Entry) error {
		if e.Variant != "" {
			found[e.Variant] = e.Size
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return found
}

func (r *rig) expectRenders(want int64) {
	r.t.Helper()
	if got := r.renders.Load(); got != want {
		r.t.Errorf("%d renders, want %d", got, want)
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in 10 s: %s", what)
		}
	}
}

func webp(width int) variant.Shape {
	return variant.Shape{Shape: imaging.Shape{Width: width}, Format: imaging.WebP}
}

// open opens a variant, checks that it is a picture of the given width, and closes it.
func open(t *testing.T, m *variant.Maker, src variant.Source, shape variant.Shape) {
	t.Helper()
	f, err := m.Open(t.Context(), src, shape)
	if err != nil {
		t.Fatalf("open %s: %v", shape.Name(), err)
	}
	defer f.Close()
	width, height := shape.Size(src.Width, src.Height, shape.Format)
	got, _, err := image.DecodeConfig(f)
	if err != nil || got.Width != width || got.Height != height {
		t.Errorf("%s is %d × %d, want %d × %d (%v)", shape.Name(), got.Width, got.Height, width, height, err)
	}
}
