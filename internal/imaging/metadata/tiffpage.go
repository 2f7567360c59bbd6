package metadata

import (
	"cmp"
	"slices"
)

// directory describes one page.
type directory struct {
	was     span
	entries []entry // those that are kept
	next    uint64  // where the next page's directory is; 0: there is none
	dropped bool    // there were more entries
}

// entry is one of a directory: numbers of a kind, which stand in its place or at an offset.
type entry struct {
	tag, kind uint16
	count     uint64
	place     []byte
	first     uint64 // the first number, of whole ones that stand in place
	values    span   // where they are, wherever that is
	apart     bool   // they are not in place
}

// directory reads the directory at off.
func (t *tiff) directory(off uint64) (*directory, error) {
	count, ok := t.span(off, uint64(t.countSize()))
	if !ok {
		return nil, broken("The TIFF ends before the directory of page %d, which is at byte %d.", t.pages, off)
	}
	b, err := t.e.in.at(count.off, t.countSize())
	if err != nil {
		return nil, err
	}
	n := uint64(t.order.Uint16(b))
	if t.big {
		n = t.order.Uint64(b)
	}
	if n == 0 || n > maxTIFFEntries {
		return nil, broken("The TIFF's directory at byte %d has an impossible length.", off)
	}
	size := t.countSize() + int(n)*t.entrySize() + t.offsetSize()
	d := &directory{}
	if d.was, ok = t.span(off, uint64(size)); !ok {
		return nil, broken("The TIFF ends within the directory at byte %d.", off)
	}
	if err := t.claim(d.was); err != nil {
		return nil, err
	}
	if b, err = t.e.in.at(d.was.off, size); err != nil {
		return nil, err
	}
	b = slices.Clone(b)
	d.next = t.offset(b[size-t.offsetSize():])
	seen := map[uint16]bool{}
	at := d.was.off + int64(t.countSize())
	for b = b[t.countSize():]; len(b) > t.offsetSize(); b, at = b[t.entrySize():], at+int64(t.entrySize()) {
		x := entry{tag: t.order.Uint16(b), kind: t.order.Uint16(b[2:]), count: t.offset(b[4:])}
		// Of two with one tag readers take the first.
		if seen[x.tag] || !tiffKept(x.tag, x.kind, x.count) {
			d.dropped = true
			continue
		}
		seen[x.tag] = true
		place := b[4+t.offsetSize() : t.entrySize()]
		length := x.count * uint64(kindSize(x.kind))
		if length > uint64(len(place)) {
			x.apart = true
			if x.values, ok = t.span(t.offset(place), length); !ok {
				return nil, broken("The TIFF ends within the values of tag %d of page %d.", x.tag, t.pages)
			}
		} else {
			x.values = span{at + int64(4+t.offsetSize()), int64(length)}
			for i, c := range place[length:] {
				d.dropped = d.dropped || c != 0
				place[int(length)+i] = 0
			}
			if length > 0 {
				x.first = t.number(x.kind, place)
			}
		}
		x.place = place
		d.entries = append(d.entries, x)
	}
	return d, nil
}

// claim takes note of where a directory is, and refuses chains that come to the same place again.
func (t *tiff) claim(s span) error {
	i, found := slices.BinarySearchFunc(t.directories, s.off, func(a span, off int64) int { return cmp.Compare(a.off, off) })
	switch {
	case found:
		return broken("The TIFF's pages go round in a circle, through byte %d.", s.off)
	case i > 0 && t.directories[i-1].end() > s.off, i < len(t.directories) && s.end() > t.directories[i].off:
		return broken("The TIFF's directory at byte %d lies over another.", s.off)
	}
	t.directories = slices.Insert(t.directories, i, s)
	return nil
}

// number reads one whole number; of other kinds it is 0.
func (t *tiff) number(kind uint16, b []byte) uint64 {
	switch kind {
	case kindByte:
		return uint64(b[0])
	case kindShort:
		return uint64(t.order.Uint16(b))
	case kindLong:
		return uint64(t.order.Uint32(b))
	case kindLong8:
		return t.order.Uint64(b)
	}
	return 0
}

func (d *directory) find(tag uint16) (entry, bool) {
	i := slices.IndexFunc(d.entries, func(x entry) bool { return x.tag == tag })
	if i < 0 {
		return entry{}, false
	}
	return d.entries[i], true
}

func (d *directory) first(tag uint16) uint64 {
	x, _ := d.find(tag)
	return x.first
}

func (d *directory) orientation() int {
	if v := d.first(tagOrientation); v >= 1 && v <= 8 {
		return int(v)
	}
	return 1
}

// page decides about a page.
func (t *tiff) page(d *directory) error {
	const reduced, oldReduced = 1, 2
	width, height := d.first(tagWidth), d.first(tagHeight)
	_, strips := d.find(tagStripOffsets)
	_, tiles := d.find(tagTileOffsets)
	small := d.first(tagSubfile)&reduced != 0 || d.first(tagOldSubfile) == oldReduced
	if t.pages == 1 {
		t.width, t.height = width, height
		switch {
		case small:
			return broken("The TIFF begins with a reduced picture, as camera raw files do; those are not taken.")
		case width == 0 || height == 0:
			return broken("The TIFF does not say how large its picture is.")
		case d.first(tagCompression) == oldJPEG:
			return broken("The TIFF is compressed as JPEG in the old way, which is not taken.")
		case !strips && !tiles:
			return broken("The TIFF does not say where its picture is.")
		}
	} else {
		const thumbnail = 512 // pixels; cameras make them of 160 × 120, some of more
		small = small || width <= thumbnail && height <= thumbnail && width < t.width/2 && height < t.height/2
		if small || !strips && !tiles || d.first(tagCompression) == oldJPEG {
			t.e.drop()
			return nil
		}
	}
	if d.dropped {
		t.e.drop()
	}
	for _, x := range d.entries {
		if x.apart {
			t.kept = append(t.kept, x.values)
		}
		if x.tag == tagJPEGTables {
			if err := t.checkJPEG(x.values, "table"); err != nil {
				return err
			}
		}
	}
	if err := t.data(d, "strip", tagStripOffsets, tagStripLengths); err != nil {
		return err
	}
	if err := t.data(d, "tile", tagTileOffsets, tagTileLengths); err != nil {
		return err
	}
	if n := len(t.rewritten); n > 0 {
		t.putOffset(t.rewritten[n-1].now, uint64(d.was.off))
	}
	t.rewritten = append(t.rewritten, rewrite{d.was, t.encode(d)})
	return nil
}

// putOffset makes a directory that is written anew point to the next.
func (t *tiff) putOffset(directory []byte, next uint64) {
	at := directory[len(directory)-t.offsetSize():]
	if t.big {
		t.order.PutUint64(at, next)
	} else {
		t.order.PutUint32(at, uint32(next))
	}
}

// encode writes a directory of the entries that are kept, the last of its chain so far.
func (t *tiff) encode(d *directory) []byte {
	b := make([]byte, t.countSize()+len(d.entries)*t.entrySize()+t.offsetSize())
	if n := uint64(len(d.entries)); t.big {
		t.order.PutUint64(b, n)
	} else {
		t.order.PutUint16(b, uint16(n))
	}
	for i, x := range d.entries {
		at := b[t.countSize()+i*t.entrySize():]
		t.order.PutUint16(at, x.tag)
		t.order.PutUint16(at[2:], x.kind)
		if t.big {
			t.order.PutUint64(at[4:], x.count)
		} else {
			t.order.PutUint32(at[4:], uint32(x.count))
		}
		copy(at[4+t.offsetSize():], x.place)
	}
	return b
}

// data takes note of where a page's strips or tiles are.
func (t *tiff) data(d *directory, name string, offsetsTag, lengthsTag uint16) error {
	offsets, ok := d.find(offsetsTag)
	if !ok {
		return nil
	}
	lengths, _ := d.find(lengthsTag)
	if lengths.count < offsets.count {
		return broken("Page %d of the TIFF does not say how long its %ss are.", t.pages, name)
	}
	if offsets.count > uint64(maxTIFFStrips-t.strips) {
		return broken("The TIFF has more than %d strips and tiles.", maxTIFFStrips)
	}
	t.strips += int(offsets.count)
	jpeg := d.first(tagCompression) == newJPEG
	for i := range int64(offsets.count) {
		off, err := t.element(t.e.in, offsets, i)
		if err != nil {
			return err
		}
		n, err := t.element(t.bytes, lengths, i)
		if err != nil {
			return err
		}
		if n == 0 {
			continue // nothing was drawn here; the offset says nothing
		}
		s, ok := t.span(off, n)
		if !ok {
			return broken("The TIFF ends within %s %d of %d of page %d.", name, i+1, offsets.count, t.pages)
		}
		if jpeg {
			if err := t.checkJPEG(s, name); err != nil {
				return err
			}
		}
		if last := len(t.kept) - 1; s.off == t.kept[last].end() {
			t.kept[last].n += s.n
		} else {
			t.kept = append(t.kept, s)
		}
	}
	return nil
}

// element reads one of an entry's numbers.
func (t *tiff) element(w *window, x entry, i int64) (uint64, error) {
	size := kindSize(x.kind)
	b, err := w.at(x.values.off+i*int64(size), size)
	if err != nil {
		return 0, err
	}
	return t.number(x.kind, b), nil
}
