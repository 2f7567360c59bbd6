package image

import (
	"context"

	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/variant"
)

// Accept says which formats a client takes beside those that all of them do.
type Accept struct {
	AVIF, WebP bool
	// Anything: it takes the original whatever that is, as a program does that says nothing of pictures.
	Anything bool
}

func (a Accept) takes(f imaging.Format) bool {
	return a.Anything || f == imaging.AVIF && a.AVIF || f == imaging.WebP && a.WebP
}

// negotiate chooses the format. Of what is at hand the smallest is sent; what the client would take and is not there yet is
// made in the background, so that nobody waits for a slow encoder. Only where nothing is at hand something is rendered.
func (s *Service) negotiate(ctx context.Context, img Image, ask Ask) (*File, error) {
	var best smallest
	usual := img.usualFormat(ask.Accepts)
	_, original, err := s.resolve(img, usual, ask.Params)
	if err != nil && usual == img.Format { // it cannot be made in another shape
		usual = img.WebFormat()
		_, original, err = s.resolve(img, usual, ask.Params)
	}
	if err != nil {
		return nil, err
	}
	if original {
		f, err := s.openOriginal(ctx, img)
		if err != nil {
			return nil, err
		}
		best.add(f, "")
	}

	var missing []variant.Shape
	for _, format := range img.betterFormats(ask) {
		shape, isOriginal, err := s.resolve(img, format, ask.Params)
		if err != nil || isOriginal {
			continue
		}
		f, err := s.variants.AtHand(ctx, img.Source(), shape)
		switch {
		case err == nil:
			best.add(img.file(f, shape), shape.Name())
		case format == imaging.WebP && best.file == nil: // the first visitors' picture
			usual = format
		default:
			missing = append(missing, shape)
		}
	}
	if best.file == nil {
		if best.file, err = s.openAs(ctx, img, usual, ask.Params); err != nil {
			return nil, err
		}
	}
	if best.variant != "" {
		s.variants.Used(img.Ref, best.variant)
	}
	for _, shape := range missing {
		s.variants.Schedule(img.Source(), shape)
	}
	return best.file, nil
}

// smallest keeps the smaller of the files that it is given and closes the others.
type smallest struct {
	file    *File
	variant string // the name of the variant that it is; empty for the original
}

func (s *smallest) add(f *File, variant string) {
	if s.file != nil && f.Size >= s.file.Size {
		_ = f.Close()
		return
	}
	if s.file != nil {
		_ = s.file.Close()
	}
	s.file, s.variant = f, variant
}

// usualFormat is the one that is sent where nothing better can be had: the original's, if the client can show that.
func (img Image) usualFormat(a Accept) imaging.Format {
	if a.takes(img.Format) {
		return img.Format
	}
	return img.WebFormat()
}

// WebFormat is the format in which every browser can show the picture: its own, if they can.
func (img Image) WebFormat() imaging.Format {
	switch {
	case img.Format == imaging.JPEG, img.Format == imaging.PNG, img.Format == imaging.GIF:
		return img.Format
	case img.Frames > 1:
		return imaging.GIF
	}
	return img.StillFormat()
}

// betterFormats are those that are tried to be smaller, the smallest first. AVIF would make what moves stand still.
func (img Image) betterFormats(ask Ask) []imaging.Format {
	var formats []imaging.Format
	if moves := img.Frames > 1 && ask.Params.Page == 0; ask.Accepts.AVIF && !moves {
		formats = append(formats, imaging.AVIF)
	}
	if ask.Accepts.WebP {
		formats = append(formats, imaging.WebP)
	}
	return formats
}
