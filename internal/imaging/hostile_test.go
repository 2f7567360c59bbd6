package imaging_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/imaging/hostile"
)

// TestHostileFiles gives everything hostile to the decoders. Whatever a file does, it ends with what it is worth, in time
// (the slowest takes 2 s, when nothing else runs) and within the memory limit, and the decoder lives on.
func TestHostileFiles(t *testing.T) {
	t.Parallel()
	const workers = 2
	p := newPool(t, imaging.PoolConfig{Workers: workers, Timeout: 20 * time.Second, RecycleAfter: 1 << 30})
	files := make(chan hostile.File)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for f := range files {
				if fault := swallow(t, p, f); fault != "" {
					t.Errorf("%s: %s", f.Name, fault)
				}
			}
		})
	}
	count := 0
	for f := range hostile.Corpus() {
		files <- f
		count++
	}
	close(files)
	wg.Wait()
	s := p.Stats()
	if s.Crashes > 0 || s.Timeouts > 0 || s.Restarts > 0 {
		t.Errorf("%d files: %+v", count, s)
	}
}

// swallow returns what is wrong with what becomes of a file.
func swallow(t *testing.T, p *imaging.Pool, f hostile.File) string {
	src, err := imaging.NewScratch()
	if err != nil {
		return err.Error()
	}
	defer src.Close()
	if _, err := src.Write(f.Data); err != nil {
		return err.Error()
	}
	out, err := imaging.NewScratch()
	if err != nil {
		return err.Error()
	}
	defer out.Close()
	_, err = p.Ingest(context.Background(), src, imaging.IngestRequest{
		Limits:  imaging.Limits{MaxPixels: 100_000_000},
		Outputs: []imaging.Output{{Shape: imaging.Shape{Width: 32}, Format: imaging.WebP, File: out}},
	})
	got := outcome(err)
	switch {
	case errors.Is(err, imaging.ErrCrashed), got == 0:
		return fmt.Sprintf("%v", err)
	case !f.Want.Has(got):
		return fmt.Sprintf("%v, want %v: %v", got, f.Want, err)
	}
	return ""
}

func outcome(err error) hostile.Want {
	var e *apperr.Error
	switch {
	case err == nil:
		return hostile.Accepted
	case !errors.As(err, &e):
		return 0
	case e.Kind == apperr.Unsupported:
		return hostile.Refused415
	case e.Kind == apperr.Unprocessable:
		return hostile.Refused422
	}
	return 0
}
