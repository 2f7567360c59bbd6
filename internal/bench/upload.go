package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	stdimage "image"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/kadr-app/kadr/internal/image"
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

// masterSide is the server's default.
const masterSide = 1280

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
	outputs := append([]imaging.Output{
		{Shape: imaging.Shape{Width: image.ThumbnailWidth}, Format: imaging.WebP},
	}, imaging.MasterOutputs(masterSide)...)
	for i := range outputs {
		out, err := os.CreateTemp(b.dir, "thumbnail-")
		if err != nil {
			return err
		}
		defer func() { _ = os.Remove(out.Name()); _ = out.Close() }()
		outputs[i].File = out
	}
	_, err = pool.Ingest(ctx, src, imaging.IngestRequest{Outputs: outputs})
	return err
}

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
	peak, err := peakMemory(k.cmd.Process.Pid)
	if err != nil {
		return err
	}
	const most = 128 << 10
	b.row("peak memory, 8 × 50 MB at once", fmt.Sprintf("%d MiB", peak>>10), "128 MiB", float64(most)/float64(peak), 1)
	return nil
}
