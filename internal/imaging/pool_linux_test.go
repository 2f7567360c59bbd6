package imaging_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/kadr-app/kadr/internal/imaging"
)

// Only Linux tells how much memory another process has.
func TestMemoryStaysFlat(t *testing.T) {
	t.Parallel()
	p := newPool(t, imaging.PoolConfig{Workers: 1})
	pid := p.Pids()[0]
	resident := func() int {
		var size, rss int
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscan(string(b), &size, &rss); err != nil {
			t.Fatal(err)
		}
		return rss * os.Getpagesize() >> 10
	}
	files := []*os.File{
		tempFile(t, oriented(encode(t, imaging.JPEG, noise(300, 200)), 6)), tempFile(t, encode(t, imaging.PNG, noise(120, 90))),
		tempFile(t, animation(t, 5, 40, 40)), tempFile(t, fixture(t, "animated.webp")), tempFile(t, fixture(t, "p3.jpg")),
		tempFile(t, encode(t, imaging.PNG, noise(100, 90))[:9000]),
	}
	outputs := []imaging.Output{{Shape: imaging.Shape{Width: 64}, Format: imaging.WebP}, {Shape: imaging.Shape{Width: 32}, Format: imaging.JPEG}, {Shape: imaging.Shape{Width: 20}, Format: imaging.PNG}}
	round := func(n int) {
		for i := range n {
			o := withFiles(t, outputs)
			_, err := p.Ingest(context.Background(), files[i%len(files)], imaging.IngestRequest{Outputs: o})
			if err != nil && !errors.Is(err, imaging.ErrBroken) {
				t.Fatal(err)
			}
			for _, o := range o {
				o.File.Close()
			}
		}
	}
	round(48)
	before := resident()
	round(150)
	if after := resident(); after > before+8<<10 {
		t.Errorf("resident memory went from %d to %d KiB", before, after)
	}
	if got := p.Pids()[0]; got != pid {
		t.Error("the decoder was replaced on the way")
	}
}
