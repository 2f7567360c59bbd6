package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/imaging"
)

// ThumbnailWidth is the width of thumbnails in pixels.
const ThumbnailWidth = 320

// Ladder returns the widths that anybody may ask for, in pixels and ascending: few enough that a stranger cannot order
// work without end.
func Ladder() []int { return []int{64, 160, 320, 480, 640, 800, 1024, 1280, 1600, 1920, 2560, 3840} }

// eagerWidths are made at the upload, by the decode that checks the picture.
func eagerWidths() []int { return []int{ThumbnailWidth, 640} }

// Shape is what a link asks for.
type Shape struct {
	Format imaging.Format
	Width  int // one of Ladder, or 0 for the picture's own
}

// File is a picture on its way out. The caller must Close it.
type File struct {
	*os.File
	Image  Image
	Format imaging.Format
	Size   int64
	// ETag is a strong validator of the bytes, in quotes.
	ETag    string
	ModTime time.Time
}

// Errors of OpenFile.
var (
	errFormat = apperr.New(apperr.NotFound, "format_unavailable", "This picture is not available in that format.")
	errWidth  = apperr.New(apperr.Invalid, "width_unavailable", "A picture of this format comes in its own width only. Ask for another format.").At("?w")
	errLadder = apperr.New(apperr.Invalid, "width_unavailable", "There is no such width.").At("?w")
)

// OpenFile opens a picture that viewer may see, in the shape asked for: the original to the byte when the shape asks for
// nothing else, and otherwise a variant, which is rendered at its first demand and a file from then on. It returns
// ErrNotFound, ErrGone, apperr.Invalid for a shape that cannot be had, and imaging's errors when a rendering fails.
func (s *Service) OpenFile(ctx context.Context, viewer, id string, shape Shape) (*File, error) {
	img, err := s.Get(ctx, viewer, id)
	if err != nil {
		return nil, err
	}
	shape, err = img.normalize(shape)
	if err != nil {
		return nil, err
	}
	if shape == (Shape{Format: img.Format}) {
		return s.openOriginal(ctx, img)
	}
	f, err := s.blobs.OpenVariant(ctx, img.Ref, shape.name())
	if apperr.KindOf(err) == apperr.NotFound {
		if err = s.render(ctx, img, shape); err == nil {
			f, err = s.blobs.OpenVariant(ctx, img.Ref, shape.name())
		}
	}
	if err != nil {
		return nil, s.goneMeanwhile(ctx, img, err)
	}
	return newFile(f, img, shape)
}

func (s *Service) openOriginal(ctx context.Context, img Image) (*File, error) {
	f, err := s.blobs.Open(ctx, img.Ref)
	if err != nil {
		return nil, s.goneMeanwhile(ctx, img, err)
	}
	return newFile(f, img, Shape{Format: img.Format})
}

// goneMeanwhile tells a picture that was deleted since its row was read from one whose bytes are lost.
func (s *Service) goneMeanwhile(ctx context.Context, img Image, err error) error {
	if apperr.KindOf(err) != apperr.NotFound {
		return err
	}
	if _, e := s.store.Image(ctx, img.ID); e != nil {
		return e
	}
	return ErrLost.Wrap(err)
}

// normalize reduces a shape to the one that makes a difference: nothing is enlarged, so a width that the picture does not
// exceed is no width at all.
func (img Image) normalize(shape Shape) (Shape, error) {
	if shape.Width >= img.Width {
		shape.Width = 0
	}
	if shape.Width == 0 && shape.Format == img.Format {
		return shape, nil
	}
	if !shape.Format.CanMake() {
		if shape.Format == img.Format {
			return shape, errWidth
		}
		return shape, errFormat
	}
	if shape.Width != 0 && !slices.Contains(Ladder(), shape.Width) {
		return shape, errLadder
	}
	return shape, nil
}

// name is the variant's file name; it begins with what it is made by, so that a better renderer starts afresh.
func (shape Shape) name() string {
	size := "full"
	if shape.Width > 0 {
		size = fmt.Sprintf("w%d", shape.Width)
	}
	return "r1-" + size + "." + shape.Format.Extension()
}

// render makes a variant, once however many ask for it at the same time in this process.
func (s *Service) render(ctx context.Context, img Image, shape Shape) error {
	key := img.Ref.String() + "/" + shape.name()
	// The work outlives the one who asked first: others wait for it too. It is bounded by the decoders' own time limit.
	done := s.renders.DoChan(key, func() (any, error) {
		return nil, s.renderOne(context.WithoutCancel(ctx), img, shape)
	})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case res := <-done:
		return res.Err
	}
}

func (s *Service) renderOne(ctx context.Context, img Image, shape Shape) error {
	src, err := s.blobs.Open(ctx, img.Ref)
	if err != nil {
		return err
	}
	defer src.Close()
	v, err := s.blobs.NewVariant(ctx, img.Ref, shape.name())
	if err != nil {
		return err
	}
	defer v.Discard()
	_, err = s.decoders.Render(ctx, src, imaging.RenderRequest{
		Limits:  imaging.Limits{MaxPixels: s.cfg.MaxPixels},
		Outputs: []imaging.Output{{Shape: imaging.Shape{Width: shape.Width}, Format: shape.Format, File: v.File()}},
	})
	if err != nil {
		return err
	}
	return v.Commit()
}

func newFile(f *os.File, img Image, shape Shape) (*File, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// What is told of the file must not be older than the picture: somebody else may have stored the same bytes before, and
	// that is nobody's business. So the time is the picture's, and a variant's own goes into a hash.
	tag := img.Ref.String()[:32]
	if shape != (Shape{Format: img.Format}) {
		h := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d/%d", img.Ref, shape.name(), st.Size(), st.ModTime().UnixNano()))
		tag = hex.EncodeToString(h[:16])
	}
	return &File{
		File: f, Image: img, Format: shape.Format, Size: st.Size(), ModTime: img.CreatedAt,
		ETag: `"` + tag + `"`,
	}, nil
}
