package image

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/variant"
)

// shelf has files of given sizes at hand, and notes what is said to be used and what is scheduled.
type shelf struct {
	Variants
	dir             string
	sizes           map[imaging.Format]int64
	used, scheduled []string
}

func (s *shelf) AtHand(_ context.Context, _ variant.Source, shape variant.Shape) (*variant.File, error) {
	size, ok := s.sizes[shape.Format]
	if !ok {
		return nil, blob.ErrVariantNotFound
	}
	f, err := os.Create(filepath.Join(s.dir, shape.Name()))
	return &variant.File{File: f, Size: size}, err
}

func (s *shelf) Schedule(_ variant.Source, shape variant.Shape) {
	s.scheduled = append(s.scheduled, shape.Name())
}

func (s *shelf) Used(_ blob.Ref, name string) { s.used = append(s.used, name) }

// What is sent counts as used, or the pictures that are looked at most would be the first to be evicted; what was only
// looked at beside it does not.
func TestNegotiatedPictureIsUsed(t *testing.T) {
	t.Parallel()
	img := Image{Format: imaging.JPEG, Width: 1000, Height: 500, Frames: 1}
	for _, tc := range []struct {
		sizes     map[imaging.Format]int64
		used      string
		scheduled []string
	}{
		{map[imaging.Format]int64{imaging.AVIF: 10, imaging.WebP: 20}, "r2-w320.avif", nil},
		{map[imaging.Format]int64{imaging.AVIF: 20, imaging.WebP: 10}, "r2-w320.webp", nil},
		{map[imaging.Format]int64{imaging.AVIF: 10}, "r2-w320.avif", []string{"r2-w320.webp"}},
		{map[imaging.Format]int64{imaging.WebP: 10}, "r2-w320.webp", []string{"r2-w320.avif"}},
	} {
		made := &shelf{dir: t.TempDir(), sizes: tc.sizes}
		s := &Service{variants: made, cfg: Config{Outputs: []imaging.Format{imaging.JPEG, imaging.WebP, imaging.AVIF}}}
		f, err := s.negotiate(t.Context(), img, Ask{Accepts: Accept{AVIF: true, WebP: true}, Params: variant.Params{Width: 320}})
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		if !slices.Equal(made.used, []string{tc.used}) || !slices.Equal(made.scheduled, tc.scheduled) {
			t.Errorf("of %v %v was used and %v scheduled", tc.sizes, made.used, made.scheduled)
		}
	}
}
