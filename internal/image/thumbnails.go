package image

import (
	"context"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/imaging"
)

// thumbnails are the variants that the upload's own decode makes. Until it is known that the upload stays they are
// temporary files.
type thumbnails struct {
	shapes []Shape
	files  []*blob.Variant
}

func (s *Service) newThumbnails(ctx context.Context, ref blob.Ref) (*thumbnails, error) {
	t := &thumbnails{}
	for _, width := range eagerWidths() {
		shape := Shape{Format: imaging.WebP, Width: width}
		v, err := s.blobs.NewVariant(ctx, ref, shape.name())
		if err != nil {
			t.discard()
			return nil, err
		}
		t.shapes, t.files = append(t.shapes, shape), append(t.files, v)
	}
	return t, nil
}

func (t *thumbnails) outputs() []imaging.Output {
	outputs := make([]imaging.Output, len(t.files))
	for i, shape := range t.shapes {
		outputs[i] = imaging.Output{Width: shape.Width, Format: shape.Format, File: t.files[i].File()}
	}
	return outputs
}

func (t *thumbnails) discard() {
	for _, v := range t.files {
		v.Discard()
	}
}

// commitThumbnails keeps those that were made. One that fails is rendered when it is asked for, so that is only logged.
// Stills of an animation are not what its WebP variants are, and are left out.
func (s *Service) commitThumbnails(ctx context.Context, t *thumbnails, found imaging.Ingested) {
	if found.Frames > 1 {
		return
	}
	for i, v := range t.files {
		if i >= len(found.Outputs) || !found.Outputs[i].Made {
			continue
		}
		if err := v.Commit(); err != nil {
			s.log.WarnContext(ctx, "a thumbnail could not be kept", "error", err)
		}
	}
}
