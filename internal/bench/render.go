package main

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"runtime"
	"slices"
	"time"

	"github.com/kadr-app/kadr/internal/bench/barevips"
	"github.com/kadr-app/kadr/internal/imaging"
)

// coldCopies is how many uploads of a photograph there are, which clients go through in turns: together they are much more
// than the processor's caches hold, and less than the memory.
const coldCopies = 24

// webpEffort is what Kadr's encoder runs with; the sizes of what both sides make would tell if it did not.
const webpEffort = 2

// noMaster lets every variant be rendered from the original.
const noMaster = "KADR_MASTER_SIDE=0"

// photographs are the JPEGs that are rendered.
func (b *bench) photographs() ([]photo, error) {
	small, err := b.photo12()
	if err != nil {
		return nil, err
	}
	large, err := b.photo24()
	return []photo{{"12 MP", small}, {"24 MP", large}}, err
}

type photo struct {
	name string
	data []byte
}

// render compares cold variants, through HTTP and without a master, with libvips in a loop.
func (b *bench) render(ctx context.Context) error {
	photos, err := b.photographs()
	if err != nil {
		return err
	}
	for _, p := range photos {
		if err := b.onOneCore(func() error { return b.renderPhoto(ctx, p, 1, "one core") }); err != nil {
			return err
		}
		if err := b.renderPhoto(ctx, p, runtime.NumCPU(), fmt.Sprintf("%d cores", runtime.NumCPU())); err != nil {
			return err
		}
	}
	return nil
}

// renderPhoto does so with decoders for a number of cores, of which there are no more.
func (b *bench) renderPhoto(ctx context.Context, p photo, cores int, where string) error {
	k, err := b.start(ctx, port, noMaster, fmt.Sprintf("KADR_DECODERS=%d", cores))
	if err != nil {
		return err
	}
	defer func() { _ = k.stop() }()
	pictures, err := b.copies(k, p.data, coldCopies)
	if err != nil {
		return err
	}
	loops, err := startVips(cores)
	if err != nil {
		return err
	}
	defer loops.stop()
	for _, s := range []struct {
		name, query string
		picture     barevips.Picture
	}{
		{"320 WebP", ".webp?w=320", barevips.Picture{Width: 320, WebP: true, Quality: imaging.WebP.DefaultQuality(), Effort: webpEffort}},
		{"1280 JPEG", ".jpg?w=1280", barevips.Picture{Width: 1280, Quality: imaging.JPEG.DefaultQuality()}},
	} {
		w, err := learn(k, pictures, s.query)
		if err != nil {
			return err
		}
		// One more than decoders, so that none waits for a client.
		ours := cold(k, pictures, 2*cores, 1, one(w))
		what := fmt.Sprintf("cold %s of %s, %s, libvips in a loop", s.name, p.name, where)
		if err := b.compare(ctx, what, 0.9, ours, loops.side(s.picture, files(pictures))); err != nil {
			return err
		}
		// Some versions of libvips write a block of EXIF into a WebP that Kadr takes out.
		if difference := math.Abs(float64(w.size - loops.size)); difference > 512+0.02*float64(loops.size) {
			return fmt.Errorf("%s: not the same work: %d bytes, and %d by libvips", what, w.size, loops.size)
		}
	}
	return nil
}

// master compares cold variants from the master with the same from the original.
func (b *bench) master(ctx context.Context) error {
	photos, err := b.photographs()
	if err != nil {
		return err
	}
	with, err := b.start(ctx, port)
	if err != nil {
		return err
	}
	defer func() { _ = with.stop() }()
	without, err := b.start(ctx, port+1, noMaster)
	if err != nil {
		return err
	}
	defer func() { _ = without.stop() }()
	for _, p := range photos {
		var sides []side
		var firsts []stored
		for _, k := range []*kadr{with, without} {
			pictures, err := b.copies(k, p.data, coldCopies)
			if err != nil {
				return err
			}
			w, err := learn(k, pictures, ".webp?w=320")
			if err != nil {
				return err
			}
			sides, firsts = append(sides, cold(k, pictures, 2*runtime.NumCPU(), 1, one(w))), append(firsts, pictures[len(firsts)]) // another for each, since they share their files
		}
		if err := b.compare(ctx, fmt.Sprintf("cold 320 WebP of %s from its master, from the original", p.name), 3, sides[0], sides[1]); err != nil {
			return err
		}
		if err := b.distance(p.name, with, without, firsts[0], firsts[1]); err != nil {
			return err
		}
	}
	return nil
}

// set compares three sizes asked for at once with the same one by one, of pictures that have nothing to share.
func (b *bench) set(ctx context.Context) error {
	photos, err := b.photographs()
	if err != nil {
		return err
	}
	for _, p := range photos {
		for _, f := range []imaging.Format{imaging.WebP, imaging.JPEG} {
			if err := b.setOf(ctx, p, f, "", 1.5, noMaster); err != nil {
				return err
			}
		}
	}
	return b.setOf(ctx, photos[0], imaging.WebP, " from the master", 0)
}

func (b *bench) setOf(ctx context.Context, p photo, f imaging.Format, from string, goal float64, env ...string) error {
	k, err := b.start(ctx, port, env...)
	if err != nil {
		return err
	}
	defer func() { _ = k.stop() }()
	pictures, err := b.copies(k, p.data, coldCopies)
	if err != nil {
		return err
	}
	var wants []want
	for _, width := range []int{320, 640, 1280} {
		w, err := learn(k, pictures, fmt.Sprintf(".%s?w=%d", f.Extension(), width))
		if err != nil {
			return err
		}
		wants = append(wants, w)
	}
	clients := 2 * runtime.NumCPU()
	what := fmt.Sprintf("320 + 640 + 1280 %s of %s%s at once, one by one", f, p.name, from)
	return b.compare(ctx, what, goal,
		cold(k, pictures, clients, len(wants), atOnce(wants)), cold(k, pictures, clients, 1, apart(wants)))
}

// first prints how long after its upload a picture's thumbnail is there, to the last byte.
func (b *bench) first(ctx context.Context) error {
	photo, err := b.photo12()
	if err != nil {
		return err
	}
	k, err := b.start(ctx, port)
	if err != nil {
		return err
	}
	defer func() { _ = k.stop() }()
	keys, err := b.members(k)
	if err != nil {
		return err
	}
	p := numbered(photo)
	var times []time.Duration
	for deadline := time.Now().Add(time.Duration(b.rounds) * b.length); time.Now().Before(deadline) || len(times) < 100; {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		parts := p.parts()
		picture, err := b.store1(k, keys[len(times)%len(keys)], slices.Concat(parts[:]...))
		if err != nil {
			return err
		}
		start := time.Now()
		req, err := http.NewRequest(http.MethodGet, k.base+picture.thumbnail, nil)
		if err != nil {
			return err
		}
		if _, _, err := k.do(req); err != nil {
			return err
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	at := func(share float64) time.Duration {
		return times[min(len(times)-1, int(share*float64(len(times))))].Round(10 * time.Microsecond)
	}
	fmt.Fprintf(b.table, "320 px of 12 MP after its upload, %d times\tmedian %s\t99 %% %s\t\t(reported)\t\n", len(times), at(0.5), at(0.99))
	return nil
}
