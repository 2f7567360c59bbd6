package metadata

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// What a TIFF may say is limited, so that memory is.
const (
	maxTIFFPages   = 1024
	maxTIFFEntries = 4096    // of one directory
	maxTIFFStrips  = 1 << 18 // strips and tiles, of all pages
)

// tiff is a TIFF or BigTIFF, of either byte order: a chain of directories, one for each page, whose entries have their
// values in place or point to them.
//
// Its offsets are everywhere, so nothing in it is moved. Known instead is every byte that decoding takes: the entries that
// tiffKept lists, their values, strips and tiles. Directories are written anew without the other entries, and whatever
// else the file holds becomes zeros, or is cut off at its end: EXIF, GPS, XMP, IPTC, the directories of thumbnails, and
// what belongs to nothing.
//
// Pages of reduced resolution go: they are thumbnails, perhaps of the uncropped picture, or can be made again. So do
// small pages behind a large one, which is how cameras that do not mark thumbnails write them. Further pages of full
// resolution stay, stripped like the first: whoever scans a document to a TIFF means to show all of it.
type tiff struct {
	e     *editor
	bytes *window // where the lengths of strips are read, while e.in is at their offsets
	jpegs *window // where strips are
	order binary.ByteOrder
	big   bool

	pages         int
	strips        int
	width, height uint64
	kept          []span // all that stays as it is
	directories   []span // all of the chain, in the order of the file
	rewritten     []rewrite
}

// rewrite is a directory that takes another's place.
type rewrite struct {
	was span
	now []byte
}

// Sizes that differ between TIFF and BigTIFF: of offsets, of a directory's count, and of an entry.
func (t *tiff) offsetSize() int { return t.choose(4, 8) }
func (t *tiff) countSize() int  { return t.choose(2, 8) }
func (t *tiff) entrySize() int  { return t.choose(12, 20) }

func (t *tiff) choose(classic, big int) int {
	if t.big {
		return big
	}
	return classic
}

func walkTIFF(e *editor) error {
	t := &tiff{e: e, bytes: newWindow(e.in.r, e.in.size), jpegs: newWindow(e.in.r, e.in.size)}
	t.jpegs.buf = make([]byte, min(jpegWindow, e.in.size))
	first, err := t.header()
	if err != nil {
		return err
	}
	for off := first; off != 0; {
		if t.pages == maxTIFFPages {
			return broken("The TIFF has more than %d pages.", maxTIFFPages)
		}
		t.pages++
		d, err := t.directory(off)
		if err != nil {
			return err
		}
		if t.pages == 1 {
			e.orientation = d.orientation()
			if e.headOnly {
				return nil
			}
		}
		if err := t.page(d); err != nil {
			return err
		}
		off = d.next
	}
	return t.write()
}

// header reads where the first directory is.
func (t *tiff) header() (first uint64, err error) {
	b, err := t.e.head(8, "TIFF", func(b []byte) bool {
		switch string(b[:4]) {
		case "II*\x00", "II+\x00":
			t.order = binary.LittleEndian
		case "MM\x00*", "MM\x00+":
			t.order = binary.BigEndian
		}
		return t.order != nil
	})
	if err != nil {
		return 0, err
	}
	size := int64(8)
	if t.big = t.order.Uint16(b[2:]) == 43; t.big {
		size = 16
		if b, err = t.e.head(16, "TIFF", func(b []byte) bool { return t.order.Uint32(b[4:]) == t.order.Uint32(t.bigMark()) }); err != nil {
			return 0, err
		}
	}
	if first = t.offset(b[size-int64(t.offsetSize()):]); first == 0 {
		return 0, broken("The TIFF has no pages.")
	}
	t.kept = append(t.kept, span{0, size})
	return first, nil
}

// bigMark is what stands in a BigTIFF before the first offset: the size of offsets, and nothing.
func (t *tiff) bigMark() []byte {
	b := make([]byte, 4)
	t.order.PutUint16(b, 8)
	return b
}

// offset reads a number as long as offsets are.
func (t *tiff) offset(b []byte) uint64 {
	if t.big {
		return t.order.Uint64(b)
	}
	return uint64(t.order.Uint32(b))
}

// span is a part of the file, if the file has it.
func (t *tiff) span(off, n uint64) (span, bool) {
	size := uint64(t.e.in.size)
	if n > size || off > size-n {
		return span{}, false
	}
	return span{int64(off), int64(n)}, true
}

// write puts out what is kept, the directories, and zeros for the rest.
func (t *tiff) write() error {
	t.kept = merged(t.kept)
	pieces := make([]rewrite, 0, len(t.kept)+len(t.rewritten))
	for _, d := range t.rewritten {
		i, _ := slices.BinarySearchFunc(t.kept, d.was.off, func(s span, off int64) int { return cmp.Compare(s.end()-1, off) })
		if i < len(t.kept) && t.kept[i].off < d.was.end() {
			return broken("The TIFF's directory at byte %d lies over something else.", d.was.off)
		}
		pieces = append(pieces, rewrite{span{d.was.off, int64(len(d.now))}, d.now})
	}
	for _, s := range t.kept {
		pieces = append(pieces, rewrite{was: s})
	}
	slices.SortFunc(pieces, func(a, b rewrite) int { return cmp.Compare(a.was.off, b.was.off) })

	at := int64(0)
	for _, p := range pieces {
		if !t.e.private {
			if err := t.lookFor(at, p.was.off); err != nil {
				return err
			}
		}
		at = p.was.end()
	}
	if at < t.e.in.size {
		t.e.drop()
	}
	if !t.e.private {
		return t.e.keep(0, t.e.in.size)
	}
	at = 0
	for _, p := range pieces {
		if err := t.e.zeros(p.was.off - at); err != nil {
			return err
		}
		var err error
		if p.now != nil {
			err = t.e.insert(p.now)
		} else {
			err = t.e.keep(p.was.off, p.was.n)
		}
		if err != nil {
			return err
		}
		at = p.was.end()
	}
	return nil
}

// lookFor notices whether there is anything but zeros in a part of the file that belongs to nothing.
func (t *tiff) lookFor(from, to int64) error {
	for from < to {
		b, err := t.e.in.at(from, int(min(windowSize, to-from)))
		if err != nil {
			return err
		}
		if len(bytes.Trim(b, "\x00")) > 0 {
			t.e.drop()
			return nil
		}
		from += int64(len(b))
	}
	return nil
}
