package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	stdimage "image"
	"image/color"
	"image/jpeg"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/kadr-app/kadr/internal/imaging"
)

// uploadPort and the like are fixed: only one section runs at a time.
const port = 18480

// paddedJPEG is a picture of a few pixels whose file has the given size: what is left are comments, which decoders skip.
func paddedJPEG(size int) *payload {
	var buf bytes.Buffer
	_ = jpeg.Encode(&buf, stdimage.NewGray(stdimage.Rect(0, 0, 16, 16)), nil)
	picture := buf.Bytes()
	const marker, most = 4, 65_533 // what a comment costs beside its text, and how long that may be
	p := &payload{data: slices.Clone(picture[:2]), at: 2 + marker}
	for left := size - len(picture); left > marker+8; {
		text := min(left-marker, most)
		if rest := left - marker - text; rest > 0 && rest <= marker+8 {
			text -= marker + 8 // leaves enough for another
		}
		p.data = append(p.data, 0xFF, 0xFE)
		p.data = binary.BigEndian.AppendUint16(p.data, uint16(text+2))
		p.data = append(p.data, bytes.Repeat([]byte{'x'}, text)...)
		left -= marker + text
	}
	p.data = append(p.data, picture[2:]...)
	return p
}

// upload compares storing through HTTP with the bare loop.
func (b *bench) upload(ctx context.Context) error {
	k, err := b.start(ctx, port)
	if err != nil {
		return err
	}
	defer func() { _ = k.stop() }()
	keys, err := b.members(k)
	if err != nil {
		return err
	}
	uploaders, err := k.uploaders(keys, "image/jpeg")
	if err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, b.cluster.URL())
	if err != nil {
		return err
	}
	defer pool.Close()
	for _, s := range sizes {
		p := paddedJPEG(s.size)
		ours := func(ctx context.Context) (int, error) {
			return parallel(ctx, writers, func(_ context.Context, worker int) error { return uploaders[worker].upload(p) })
		}
		limit, err := bareLoop(filepath.Join(b.dir, "bare", s.name), pool, p)
		if err != nil {
			return err
		}
		if err := b.compare(ctx, "upload "+s.name+" by HTTP, "+fmt.Sprint(writers)+" clients", 0.5, ours, limit); err != nil {
			return err
		}
	}
	return nil
}

// photos compares uploads of a 12 MP JPEG with what the decoders alone do for the same thumbnails.
func (b *bench) photos(ctx context.Context) error {
	photo, err := b.photograph()
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
	// The number goes into a comment after the first marker, so that every upload is another file.
	p := newPayload(0)
	p.data = append(p.data, photo[:2]...)
	p.data = append(p.data, 0xFF, 0xFE, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0)
	p.data = append(p.data, photo[2:]...)
	p.at = 6
	uploaders, err := k.uploaders(keys, "image/jpeg")
	if err != nil {
		return err
	}
	ours := func(ctx context.Context) (int, error) {
		return parallel(ctx, writers, func(_ context.Context, worker int) error { return uploaders[worker].upload(p) })
	}
	pool, err := imaging.NewPool(imaging.PoolConfig{})
	if err != nil {
		return err
	}
	defer pool.Close()
	limit := func(ctx context.Context) (int, error) {
		return parallel(ctx, writers, func(ctx context.Context, _ int) error { return b.ingest(context.WithoutCancel(ctx), pool, photo) })
	}
	return b.compare(ctx, "upload a 12 MP JPEG by HTTP, decoders alone", 0.8, ours, limit)
}

// ingest does with a decoder what an upload does.
func (b *bench) ingest(ctx context.Context, pool *imaging.Pool, photo []byte) error {
	src, err := os.CreateTemp(b.dir, "photo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(src.Name()); _ = src.Close() }()
	if _, err := src.Write(photo); err != nil {
		return err
	}
	var outputs []imaging.Output
	for _, width := range []int{320, 640} {
		out, err := os.CreateTemp(b.dir, "thumbnail-")
		if err != nil {
			return err
		}
		defer func() { _ = os.Remove(out.Name()); _ = out.Close() }()
		outputs = append(outputs, imaging.Output{Shape: imaging.Shape{Width: width}, Format: imaging.WebP, File: out})
	}
	_, err = pool.Ingest(ctx, src, imaging.IngestRequest{Outputs: outputs})
	return err
}

// photograph reads the photograph, or makes a picture that is as hard to decode: gradients, edges and grain.
func (b *bench) photograph() ([]byte, error) {
	if b.photo != "" {
		return os.ReadFile(b.photo)
	}
	const w, h = 4000, 3000
	img := stdimage.NewYCbCr(stdimage.Rect(0, 0, w, h), stdimage.YCbCrSubsampleRatio420)
	seed := uint32(1)
	for y := range h {
		for x := range w {
			seed = seed*1664525 + 1013904223
			v := 128 + 60*math.Sin(float64(x)/97)*math.Cos(float64(y)/71) + float64(seed>>28) + float64((x/250+y/250)%2*24)
			img.Y[img.YOffset(x, y)] = uint8(v)
		}
	}
	for i := range img.Cb {
		c := color.YCbCr{Cb: uint8(100 + i%(w/2)/40), Cr: uint8(110 + i/(w/2)/40)}
		img.Cb[i], img.Cr[i] = c.Cb, c.Cr
	}
	var buf bytes.Buffer
	err := jpeg.Encode(&buf, img, &jpeg.Options{Quality: 90})
	return buf.Bytes(), err
}

var peakPattern = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// memory prints the server's peak memory while eight clients send 50 MB each, a few times over.
func (b *bench) memory(ctx context.Context) error {
	k, err := b.start(ctx, port, "KADR_MAX_UPLOAD_BYTES=62914560")
	if err != nil {
		return err
	}
	defer func() { _ = k.stop() }()
	keys, err := b.members(k)
	if err != nil {
		return err
	}
	uploaders, err := k.uploaders(keys, "image/jpeg")
	if err != nil {
		return err
	}
	p := paddedJPEG(50_000_000)
	errs := make(chan error, writers)
	for w := range writers {
		go func() {
			for range 3 {
				if err := uploaders[w].upload(p); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range writers {
		if err := <-errs; err != nil {
			return err
		}
	}
	status, err := os.Open(fmt.Sprintf("/proc/%d/status", k.cmd.Process.Pid))
	if err != nil {
		return fmt.Errorf("read the server's memory (Linux only): %w", err)
	}
	defer status.Close()
	text, err := io.ReadAll(status)
	if err != nil {
		return err
	}
	peak, err := strconv.Atoi(string(peakPattern.FindSubmatch(text)[1]))
	if err != nil {
		return err
	}
	const most = 128 << 10
	b.row("peak memory, 8 × 50 MB at once", fmt.Sprintf("%d MiB", peak>>10), "128 MiB", float64(most)/float64(peak), 1)
	return nil
}
