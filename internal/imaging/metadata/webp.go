package metadata

import (
	"encoding/binary"
	"errors"
)

// Flags of a WebP's VP8X chunk.
const (
	webpEXIF = 0x08
	webpXMP  = 0x04
)

// walkWebP keeps the picture, its alpha, its frames and its colour profile. The file states its length in front and in
// VP8X whether EXIF and XMP follow, so writing needs what a walk before it has counted (see run).
func walkWebP(e *editor) error {
	err := walkRIFF(e)
	if errors.Is(err, errEnd) {
		return broken("The WebP ends before its last chunk.")
	}
	return err
}

func walkRIFF(e *editor) error {
	head, err := e.head(12, "WebP", func(b []byte) bool { return string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP" })
	if err != nil {
		return err
	}
	end := 8 + int64(binary.LittleEndian.Uint32(head[4:]))
	if end > e.in.size {
		return broken("The WebP ends after %d of its %d bytes.", e.in.size, end)
	}
	riff := append([]byte(nil), head...)
	if e.known != nil {
		binary.LittleEndian.PutUint32(riff[4:], uint32(e.known.StrippedSize-8))
	}
	if err := e.insert(riff); err != nil {
		return err
	}
	extended := false
	off := int64(12)
	for end-off >= 8 {
		c, err := readChunk(e.in, off, end)
		if err != nil {
			return err
		}
		switch c.kind {
		case "VP8X":
			extended = true
			err = webpHeader(e, c)
		case "ANMF":
			e.frames++
			err = webpFrame(e, c)
		case "VP8 ", "VP8L", "ALPH", "ICCP", "ANIM":
			err = c.keep(e)
		case "EXIF":
			err = webpOrientation(e, c, extended)
		default:
			e.drop()
		}
		if err != nil {
			return err
		}
		off = c.next
	}
	if off < e.in.size {
		e.drop()
	}
	return nil
}

// chunk is one RIFF chunk: its payload begins 8 bytes behind off and is padded to an even length.
type chunk struct {
	kind              string
	off, length, next int64
}

func readChunk(in *window, off, end int64) (chunk, error) {
	head, err := in.at(off, 8)
	if err != nil {
		return chunk{}, err
	}
	c := chunk{kind: string(head[:4]), off: off, length: int64(binary.LittleEndian.Uint32(head[4:]))}
	c.next = off + 8 + c.length + c.length&1
	if c.next == end+1 {
		c.next = end // the last padding byte is missing, as some encoders have it
	}
	if c.next > end {
		return chunk{}, broken("The WebP chunk at byte %d is longer than what holds it.", off)
	}
	return c, nil
}

// keep copies the chunk, with a padding byte of its own.
func (c chunk) keep(e *editor) error {
	if err := e.keep(c.off, 8+c.length); err != nil {
		return err
	}
	if c.length&1 == 0 {
		return nil
	}
	return e.insert([]byte{0})
}

// webpHeader writes VP8X with the flags true to what will follow.
func webpHeader(e *editor, c chunk) error {
	if c.length < 10 {
		return broken("The WebP header at byte %d is too short.", c.off)
	}
	b, err := e.in.at(c.off, 18)
	if err != nil {
		return err
	}
	b = append([]byte(nil), b...)
	b[4] = 10
	b[5], b[6], b[7] = 0, 0, 0
	b[8] &^= webpEXIF | webpXMP
	if e.known != nil && e.known.Orientation != 1 {
		b[8] |= webpEXIF
	}
	if c.length > 10 {
		e.drop()
	}
	return e.insert(b)
}

// webpFrame keeps a frame of an animation, and of its chunks those that hold its picture.
func webpFrame(e *editor, c chunk) error {
	const header = 16
	if c.length < header {
		return broken("The WebP frame at byte %d is too short.", c.off)
	}
	inner, end := c.off+8+header, c.off+8+c.length
	kept, dropped := int64(header), false
	for off := inner; end-off >= 8; {
		sub, err := readChunk(e.in, off, end)
		if err != nil {
			return err
		}
		if webpFrameKept(sub.kind) {
			kept += 8 + sub.length + sub.length&1
		} else {
			dropped = true
		}
		off = sub.next
	}
	if !dropped {
		return c.keep(e)
	}
	e.drop()
	b, err := e.in.at(c.off, 8+header)
	if err != nil {
		return err
	}
	b = append([]byte(nil), b...)
	binary.LittleEndian.PutUint32(b[4:], uint32(kept))
	if err := e.insert(b); err != nil {
		return err
	}
	for off := inner; end-off >= 8; {
		sub, err := readChunk(e.in, off, end)
		if err != nil {
			return err
		}
		if webpFrameKept(sub.kind) {
			if err := sub.keep(e); err != nil {
				return err
			}
		}
		off = sub.next
	}
	return nil
}

func webpFrameKept(kind string) bool { return kind == "VP8 " || kind == "VP8L" || kind == "ALPH" }

// webpOrientation replaces an EXIF chunk by one that holds the orientation. Without VP8X readers do not look for one.
func webpOrientation(e *editor, c chunk, extended bool) error {
	if !extended {
		e.drop()
		return nil
	}
	tiff, err := e.in.at(c.off+8, int(min(c.length, windowSize)))
	if err != nil {
		return err
	}
	prefixed := len(tiff) >= 6 && string(tiff[:4]) == "Exif" // as in a JPEG: not by the book, but written and read
	if prefixed {
		tiff = tiff[6:]
	}
	keep, replacement := e.exif(tiff)
	if keep && !prefixed {
		return c.keep(e)
	}
	e.drop()
	if replacement == nil {
		return nil
	}
	b := binary.LittleEndian.AppendUint32([]byte("EXIF"), uint32(len(replacement)))
	return e.insert(append(b, replacement...))
}
