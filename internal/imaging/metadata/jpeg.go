package metadata

import (
	"bytes"
	"errors"
)

// The JPEG markers that the walk has to know.
const (
	markerTEM  = 0x01
	markerSOF0 = 0xc0
	markerRST0 = 0xd0
	markerRST7 = 0xd7
	markerSOI  = 0xd8
	markerEOI  = 0xd9
	markerSOS  = 0xda
	markerEXP  = 0xdf
	markerAPP0 = 0xe0
	markerAPP1 = 0xe1
	markerAPP2 = 0xe2
	markerAPPE = 0xee
)

// walkJPEG keeps the tables, the frames and the scans, JFIF's header without its thumbnail, the ICC profile, and Adobe's
// colour transform. Everything after the end marker goes: motion photos, depth maps and larger previews live there.
func walkJPEG(e *editor) error {
	err := walkSegments(e)
	if errors.Is(err, errEnd) {
		return broken("The JPEG ends before its end marker.")
	}
	return err
}

func walkSegments(e *editor) error {
	if _, err := e.head(2, "JPEG", func(b []byte) bool { return b[0] == 0xff && b[1] == markerSOI }); err != nil {
		return err
	}
	if err := e.keep(0, 2); err != nil {
		return err
	}
	for off := int64(2); ; {
		// From here to the marker there may be fill bytes, or junk that decoders skip over and so do we.
		marker, next, junk, err := nextMarker(e.in, off)
		if err != nil {
			return err
		}
		off = next
		if junk {
			e.drop()
		}
		switch {
		case marker == markerEOI:
			if off < e.in.size {
				e.drop()
			}
			return e.keep(off-2, 2)
		case marker == markerSOI:
			return broken("The JPEG has a second beginning at byte %d.", off-2)
		case marker == markerTEM || marker >= markerRST0 && marker <= markerRST7:
			if err := e.keep(off-2, 2); err != nil {
				return err
			}
			continue
		}
		b, err := e.in.at(off, 2)
		if err != nil {
			return err
		}
		length := int(b[0])<<8 | int(b[1])
		if length < 2 {
			return broken("The JPEG segment at byte %d has an impossible length.", off-2)
		}
		body, err := e.in.at(off, length)
		if err != nil {
			return err
		}
		if err := segment(e, marker, off-2, body[2:]); err != nil {
			return err
		}
		off += int64(length)
		if marker == markerSOS {
			if e.headOnly {
				return nil
			}
			e.oriented = true // readers do not look for EXIF behind the first scan
			end, err := scanEnd(e.in, off)
			if err != nil {
				return err
			}
			if err := e.keep(off, end-off); err != nil {
				return err
			}
			off = end
		}
	}
}

// nextMarker finds the next marker at or after off and returns it with the offset behind it, and whether anything but
// fill bytes stood before it.
func nextMarker(in *window, off int64) (marker byte, next int64, junk bool, err error) {
	for {
		start := off
		if off, err = in.index(off, 0xff); err != nil {
			return 0, 0, false, err
		}
		b, err := in.at(off, 2)
		if err != nil {
			return 0, 0, false, err
		}
		junk = junk || off > start || b[1] == 0
		switch b[1] {
		case 0xff:
			off++
		case 0x00:
			off += 2
		default:
			return b[1], off + 2, junk, nil
		}
	}
}

// scanEnd returns where entropy-coded data that begins at off ends: at the marker that is neither a stuffed zero nor a
// restart.
func scanEnd(in *window, off int64) (int64, error) {
	for {
		var err error
		if off, err = in.index(off, 0xff); err != nil {
			return 0, err
		}
		b, err := in.at(off, 2)
		if err != nil {
			return 0, err
		}
		switch c := b[1]; {
		case c == 0xff:
			off++ // a fill byte: part of what stands before the marker
		case c == 0x00 || c >= markerRST0 && c <= markerRST7:
			off += 2
		default:
			return off, nil
		}
	}
}

// segment decides about one marker segment; off is where its marker is, body what follows its length.
func segment(e *editor, marker byte, off int64, body []byte) error {
	whole := int64(len(body)) + 4
	switch {
	case marker >= markerSOF0 && marker <= markerEXP:
		return e.keep(off, whole)
	case marker == markerAPP0 && bytes.HasPrefix(body, []byte("JFIF\x00")) && len(body) >= 14:
		if len(body) == 14 {
			return e.keep(off, whole)
		}
		e.drop()
		head := append([]byte{0xff, markerAPP0, 0, 16}, body[:14]...)
		head[16], head[17] = 0, 0 // a thumbnail of no size
		return e.insert(head)
	case marker == markerAPP2 && bytes.HasPrefix(body, []byte("ICC_PROFILE\x00")):
		return e.keep(off, whole)
	case marker == markerAPPE && bytes.HasPrefix(body, []byte("Adobe")) && len(body) >= 12:
		if len(body) == 12 {
			return e.keep(off, whole)
		}
		e.drop()
		return e.insert(append([]byte{0xff, markerAPPE, 0, 14}, body[:12]...))
	case marker == markerAPP1 && bytes.HasPrefix(body, []byte("Exif\x00")) && len(body) >= 6:
		keep, replacement := e.exif(body[6:])
		if keep {
			return e.keep(off, whole)
		}
		e.drop()
		if replacement == nil {
			return nil
		}
		n := len(replacement) + 8
		head := []byte{0xff, markerAPP1, byte(n >> 8), byte(n), 'E', 'x', 'i', 'f', 0, 0}
		return e.insert(append(head, replacement...))
	}
	e.drop()
	return nil
}
