package image

import (
	"slices"

	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/variant"
)

// Rendition is a picture in a shape that a link is wanted for.
type Rendition struct {
	Format        imaging.Format
	Width, Height int // pixels
	// Plain: it is the original, to which no parameter makes a difference.
	Plain bool
}

// Rendition says what a link with these parameters gives; errors as those of Open for a shape that cannot be had.
func (s *Service) Rendition(img Image, format imaging.Format, params variant.Params) (Rendition, error) {
	shape, original, err := s.resolve(img, format, params)
	if err != nil {
		return Rendition{}, err
	}
	width, height := shape.Size(img.Width, img.Height, format)
	return Rendition{Format: format, Width: width, Height: height, Plain: original}, nil
}

// srcsetWidths are the widths of the variants that a picture's data lists: few, since every list repeats them.
func srcsetWidths() []int { return []int{320, 640, 1280, 2560} }

// Renditions returns the smaller copies that a page is offered: each format in ascending width. Of what moves there is none
// that would stand still.
func (s *Service) Renditions(img Image) []Rendition {
	formats := []imaging.Format{imaging.AVIF, imaging.WebP}
	if img.Frames > 1 {
		formats = formats[1:]
	}
	var all []Rendition
	for _, format := range formats {
		for _, width := range srcsetWidths() {
			if width >= img.Width {
				break
			}
			if r, err := s.Rendition(img, format, variant.Params{Width: width}); err == nil {
				all = append(all, r)
			}
		}
	}
	return all
}

// Within returns the largest copy in a format that goes into a box and that anybody may ask for: the picture in its own size
// or in a width of the ladder. Where all are too large it is the smallest. Errors as those of Rendition.
func (s *Service) Within(img Image, format imaging.Format, width, height int) (Rendition, error) {
	best, err := s.Rendition(img, format, variant.Params{})
	for _, w := range slices.Backward(variant.Ladder()) {
		if err != nil || best.Width <= width && best.Height <= height {
			break
		}
		if w < img.Width {
			best, err = s.Rendition(img, format, variant.Params{Width: w})
		}
	}
	return best, err
}
