package image

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/variant"
)

// Variants makes pictures' variants, each of them once; *variant.Maker does.
type Variants interface {
	// Open opens a variant, which is rendered at its first demand. The shape is normalized and not the original.
	Open(ctx context.Context, src variant.Source, shape variant.Shape) (*variant.File, error)
	// AtHand opens a variant that was made before; apperr.NotFound when there is none. That alone counts as no use.
	AtHand(ctx context.Context, src variant.Source, shape variant.Shape) (*variant.File, error)
	// Used says that a variant that was at hand is sent, so that it is not evicted.
	Used(ref blob.Ref, name string)
	// Schedule has a variant made while nobody waits.
	Schedule(src variant.Source, shape variant.Shape)
	// MasterOutputs are what an upload's own decode has to make beside the thumbnail, without files.
	MasterOutputs() []imaging.Output
	// Keep stores what an upload's own decode made.
	Keep(ctx context.Context, src variant.Source, kept []variant.Kept)
}

// Ask is what a link asks for.
type Ask struct {
	ID string
	// Format is the one that the link's extension names. Without one it is chosen from what Accepts takes.
	Format  imaging.Format
	Accepts Accept
	Params  variant.Params // presets are expanded
	// Granted: the link itself permits to see the picture, whoever follows it.
	Granted bool
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
	// Path is where the file lies below the storage, for a gateway that sends it. Empty: there was no room to keep it.
	Path string
}

// Errors of Open.
var (
	ErrFormat  = apperr.New(apperr.NotFound, "format_unavailable", "This picture is not available in that format.")
	errReshape = apperr.New(apperr.Invalid, "format_cannot_be_shaped",
		"Pictures of this format come as they are only. Ask for another format.")
)

// Source returns what variants of the picture are made of.
func (img Image) Source() variant.Source {
	return variant.Source{
		Ref: img.Ref, Format: img.Format, Width: img.Width, Height: img.Height, Frames: img.Frames, Transparent: img.Transparent,
	}
}

// Open opens a picture that viewer may see, as a link asks for it: the original to the byte where nothing else is asked
// for, and otherwise a variant. It returns ErrNotFound, ErrGone, apperr.Invalid for a shape that cannot be had,
// apperr.NotFound for a format that cannot, and imaging's errors when a rendering fails.
func (s *Service) Open(ctx context.Context, viewer string, ask Ask) (*File, error) {
	img, err := s.store.Image(ctx, ask.ID)
	if err != nil {
		return nil, err
	}
	if !ask.Granted && !img.VisibleTo(viewer) {
		return nil, ErrNotFound
	}
	var f *File
	if ask.Format == "" {
		f, err = s.negotiate(ctx, img, ask)
	} else {
		f, err = s.openAs(ctx, img, ask.Format, ask.Params)
	}
	if err != nil {
		return nil, s.goneMeanwhile(ctx, img, err)
	}
	return f, nil
}

func (s *Service) openAs(ctx context.Context, img Image, format imaging.Format, params variant.Params) (*File, error) {
	shape, original, err := s.resolve(img, format, params)
	if err != nil {
		return nil, err
	}
	if original {
		return s.openOriginal(ctx, img)
	}
	f, err := s.variants.Open(ctx, img.Source(), shape)
	if err != nil {
		return nil, err
	}
	return img.file(f, shape), nil
}

// resolve finds the shape that parameters mean for the picture, and whether that is the original.
func (s *Service) resolve(img Image, format imaging.Format, params variant.Params) (shape variant.Shape, original bool, err error) {
	if shape, err = params.Shape(img.Source(), format); err != nil {
		return shape, false, err
	}
	shape, original = shape.Normalize(img.Source())
	switch {
	case original || s.makes(format):
		return shape, original, nil
	case format == img.Format:
		return shape, false, errReshape
	}
	return shape, false, ErrFormat
}

// makes tells whether the decoders of this instance can make pictures in a format.
func (s *Service) makes(format imaging.Format) bool { return slices.Contains(s.cfg.Outputs, format) }

func (s *Service) openOriginal(ctx context.Context, img Image) (*File, error) {
	f, err := s.blobs.Open(ctx, img.Ref)
	if err != nil {
		return nil, err
	}
	return &File{
		File: f, Image: img, Format: img.Format, Size: img.Size, ModTime: img.CreatedAt,
		ETag: `"` + img.Ref.String()[:32] + `"`, Path: blob.Path(img.Ref),
	}, nil
}

// file says of a variant what may be told of it. That must not be older than the picture: somebody else may have stored the
// same bytes before, and that is nobody's business. So the time is the picture's.
func (img Image) file(f *variant.File, shape variant.Shape) *File {
	return &File{
		File: f.File, Image: img, Format: shape.Format, Size: f.Size, ModTime: img.CreatedAt,
		ETag: `"` + hex.EncodeToString(f.Digest[:]) + `"`, Path: f.Path,
	}
}

// goneMeanwhile tells a picture that was deleted since its row was read from one whose bytes are lost.
func (s *Service) goneMeanwhile(ctx context.Context, img Image, err error) error {
	if !errors.Is(err, blob.ErrNotFound) && !errors.Is(err, blob.ErrVariantNotFound) {
		return err
	}
	if _, e := s.store.Image(ctx, img.ID); e != nil {
		return e
	}
	return ErrLost.Wrap(err)
}
