package image

import (
	"context"
	"io"
	"os"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/imaging"
)

// thumbnails are the variants that the upload's own decode makes. They are in memory until it is known which of them were
// made, and that the upload stays.
type thumbnails struct {
	shapes []Shape
	files  []*os.File
}

func newThumbnails() (*thumbnails, error) {
	t := &thumbnails{}
	for _, width := range eagerWidths() {
		f, err := imaging.NewScratch()
		if err != nil {
			t.discard()
			return nil, err
		}
		t.shapes, t.files = append(t.shapes, Shape{Format: imaging.WebP, Width: width}), append(t.files, f)
	}
	return t, nil
}

func (t *thumbnails) outputs() []imaging.Output {
	outputs := make([]imaging.Output, len(t.files))
	for i, shape := range t.shapes {
		outputs[i] = imaging.Output{Shape: imaging.Shape{Width: shape.Width}, Format: shape.Format, File: t.files[i]}
	}
	return outputs
}

func (t *thumbnails) discard() {
	for _, f := range t.files {
		_ = f.Close() // it is nowhere but in memory
	}
}

// keepThumbnails stores those that were made. One that cannot be stored is rendered when it is asked for, so that is only
// logged. Stills of an animation are not what its WebP variants are, and are left out.
func (s *Service) keepThumbnails(ctx context.Context, ref blob.Ref, t *thumbnails, found imaging.Ingested) {
	if found.Frames > 1 {
		return
	}
	for i, out := range found.Outputs {
		if !out.Made {
			continue
		}
		if err := s.keepThumbnail(ctx, ref, t.shapes[i], io.NewSectionReader(t.files[i], 0, out.Size)); err != nil {
			s.log.WarnContext(ctx, "a thumbnail could not be kept", "error", err)
		}
	}
}

func (s *Service) keepThumbnail(ctx context.Context, ref blob.Ref, shape Shape, made io.Reader) error {
	v, err := s.blobs.NewVariant(ctx, ref, shape.name())
	if err != nil {
		return err
	}
	defer v.Discard()
	if _, err := io.Copy(v.File(), made); err != nil {
		return err
	}
	return v.Commit()
}
