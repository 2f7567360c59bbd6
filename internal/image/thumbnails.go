package image

import (
	"context"
	"io"

	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/variant"
)

// ThumbnailWidth is the width of thumbnails in pixels.
const ThumbnailWidth = 320

// thumbnailOutputs are the thumbnails that pictures may have; of each picture one condition holds.
func thumbnailOutputs() []imaging.Output {
	shape := imaging.Shape{Width: ThumbnailWidth}
	return []imaging.Output{
		{Shape: shape, Format: imaging.WebP, When: imaging.Condition{Still: true}},
		{Shape: shape, Format: imaging.JPEG, When: imaging.Condition{Animated: true, Opaque: true}},
		{Shape: shape, Format: imaging.PNG, When: imaging.Condition{Animated: true, Transparent: true}},
	}
}

// eager is what the upload's own decode makes: a thumbnail, and the master that smaller variants are made from. They are
// in memory until it is known which of them were made, and that the upload stays.
type eager struct {
	outputs []imaging.Output
	masters int // how many of the outputs, at the end
}

func (s *Service) newEager() (*eager, error) {
	masters := s.variants.MasterOutputs()
	e := &eager{outputs: append(thumbnailOutputs(), masters...), masters: len(masters)}
	for i := range e.outputs {
		f, err := imaging.NewScratch()
		if err != nil {
			e.discard()
			return nil, err
		}
		e.outputs[i].File = f
	}
	return e, nil
}

func (e *eager) discard() {
	for _, o := range e.outputs {
		if o.File != nil {
			_ = o.File.Close() // it is nowhere but in memory
		}
	}
}

// keepEager stores what was made.
func (s *Service) keepEager(ctx context.Context, img Image, e *eager, made []imaging.Rendered) {
	var kept []variant.Kept
	for i, m := range made {
		if !m.Made {
			continue
		}
		o := e.outputs[i]
		kept = append(kept, variant.Kept{
			Shape: variant.Shape{Shape: o.Shape, Format: o.Format}, Master: i >= len(e.outputs)-e.masters,
			Data: io.NewSectionReader(o.File, 0, m.Size), Size: m.Size,
		})
	}
	s.variants.Keep(ctx, img.Source(), kept)
}
