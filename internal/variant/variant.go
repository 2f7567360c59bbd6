// Package variant knows Kadr's variants: a picture in another size, shape or format, made from a blob and kept as a file
// beside it.
//
// It says which variants there are (Params and Shape), who may order which (Ladder, Presets, Keys), and makes each of
// them once, however many ask and on however many servers (Maker). The files are a cache: what was not looked at for the
// longest time goes when they take more room than they may, and is made again when somebody asks.
//
// Which picture may be seen by whom is package image's business; this package sees bytes only.
package variant

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/imaging"
)

// generation is part of every variant's name and of every version in a link. It counts up when the same shape would come
// out differently, so that a better renderer starts afresh and no cache keeps the old ones.
const generation = "r2"

// Source is the picture that variants are made of.
type Source struct {
	Ref           blob.Ref
	Format        imaging.Format
	Width, Height int // pixels, as displayed
	Frames        int
	Transparent   bool
}

// Version is what a link carries so that it may be cached for ever: another one for other bytes or another renderer.
func (s Source) Version() string {
	return generation + hex.EncodeToString(s.Ref[:4])
}

// Shape is one variant, every parameter resolved. The zero value of all but Format is the picture as it is.
type Shape struct {
	imaging.Shape
	Format  imaging.Format
	Quality int // 0: the format's default
}

// Normalize reduces a shape to what makes a difference for the source, so that two ways of asking for the same picture
// share a file. It reports whether that is the original itself.
func (shape Shape) Normalize(src Source) (normal Shape, original bool) {
	if shape.Page > 0 && src.Frames == 1 {
		shape.Page = 0 // the only one there is
	}
	width, height := shape.Size(src.Width, src.Height, shape.Format)
	if shape.resizesOnly() {
		if width == src.Width && height == src.Height {
			shape.Width, shape.Height = 0, 0
		} else {
			shape.Width, shape.Height = width, 0
			if w, h := shape.Size(src.Width, src.Height, shape.Format); w != width || h != height {
				shape.Width, shape.Height = 0, height
			}
		}
		shape.Fit, shape.Position, shape.Enlarge = "", "", shape.Enlarge && (width > src.Width || height > src.Height)
	}
	if shape.Quality == shape.Format.DefaultQuality() {
		shape.Quality = 0
	}
	if shape.Background.Set && !src.Transparent && shape.Fit != imaging.FitContain {
		shape.Background = imaging.Color{}
	}
	return shape, shape == Shape{Format: src.Format}
}

// resizesOnly tells a shape whose size alone says what becomes of the box: the whole picture, in its proportions.
func (shape Shape) resizesOnly() bool {
	return shape.Fit == "" || shape.Fit == imaging.FitInside || shape.Width == 0 || shape.Height == 0
}

// Moves tells whether the variant has all of the source's frames.
func (shape Shape) Moves(src Source) bool {
	return src.Frames > 1 && shape.Page == 0 && shape.Format.Animates()
}

// Name is the name of the variant's file. The usual ones can be read, the others are a hash of all that shapes them.
func (shape Shape) Name() string {
	plain := Shape{Format: shape.Format}
	plain.Width = shape.Width
	size := "full"
	switch {
	case shape != plain:
		h := sha256.Sum256([]byte(shape.key()))
		size = "x" + hex.EncodeToString(h[:16])
	case shape.Width > 0:
		size = fmt.Sprintf("w%d", shape.Width)
	}
	return generation + "-" + size + "." + shape.Format.Extension()
}

// key writes every field, so that two shapes with the same key are the same.
func (shape Shape) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "page=%d crop=%v rotate=%d flip=%s box=%dx%d fit=%s position=%s enlarge=%t blur=%g background=%s quality=%d",
		shape.Page, shape.Crop, shape.Rotate, shape.Flip, shape.Width, shape.Height, shape.Fit, shape.Position, shape.Enlarge,
		shape.Blur, shape.Background, shape.Quality)
	return b.String()
}
