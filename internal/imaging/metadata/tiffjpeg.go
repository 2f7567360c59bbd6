package metadata

import "bytes"

// jpegWindow is how much is read at once of strips that are JPEGs: their heads are far apart.
const jpegWindow = 4 << 10

// checkJPEG refuses a JPEG within a TIFF that has metadata of its own: to take it out, everything would have to move. The
// TIFF's own writers make none, but a whole photograph can be wrapped up as one strip.
func (t *tiff) checkJPEG(s span, name string) error {
	const maxSegments = 64 // before the picture's data; it takes about ten
	w := t.jpegs
	if s.n < 4 {
		return nil // nothing is left out of the check: it is too short for a segment
	}
	b, err := w.at(s.off, 2)
	if err != nil {
		return err
	}
	if b[0] != 0xff || b[1] != markerSOI {
		return broken("A %s of page %d of the TIFF, at byte %d, does not begin as a JPEG.", name, t.pages, s.off)
	}
	off := s.off + 2
	for range maxSegments {
		if s.end()-off < 4 {
			return nil
		}
		if b, err = w.at(off, 4); err != nil {
			return err
		}
		marker, length := b[1], int64(b[2])<<8|int64(b[3])
		switch {
		case b[0] != 0xff:
			return broken("A %s of page %d of the TIFF, at byte %d, is no JPEG.", name, t.pages, s.off)
		case marker == 0xff: // a fill byte
			off++
			continue
		case marker == markerSOS || marker == markerEOI:
			return nil
		case marker < markerSOF0 || marker > markerEXP:
			head, err := w.at(off+4, int(min(5, s.end()-off-4)))
			if err != nil {
				return err
			}
			plain := marker == markerAPP0 && length == 16 && bytes.Equal(head, []byte("JFIF\x00")) ||
				marker == markerAPPE && length == 14 && bytes.Equal(head, []byte("Adobe"))
			if !plain {
				return broken("A %s of page %d of the TIFF, at byte %d, is a JPEG with metadata of its own, which cannot be taken out.",
					name, t.pages, s.off)
			}
		}
		off += 2 + length
	}
	return broken("A %s of page %d of the TIFF, at byte %d, is no JPEG that can be looked through.", name, t.pages, s.off)
}
