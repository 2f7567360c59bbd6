package metadata

import (
	"bytes"
	"errors"
	"slices"
)

// What these formats may say is limited, so that memory is.
const (
	maxHEIFMeta    = 4 << 20 // bytes of boxes that describe items, without their data
	maxHEIFParts   = 16384   // items, properties, references, boxes of data: each
	maxHEIFExtents = 65536   // pieces of items' data
)

// heif is an AVIF or HEIC file: items (pictures, tiles, thumbnails, EXIF), properties that items share (size, colours,
// the decoder's configuration), and references between items.
//
// What goes is not blanked out, the file is put together anew: the picture that the file calls its primary one, what that
// is made of (tiles, overlays) and its alpha stay, with the properties that say how to decode and show them; their data is
// copied. Nothing else can be in the new file, be it EXIF, XMP, thumbnails, names, times, or bytes that belong to nothing.
//
// Depth maps, mattes and HDR gain maps go, too. They are second pictures of the same scene: a depth map has the background
// that portrait mode blurred, and a gain map, which editors often leave as it was, what was painted over or cropped away.
// No decoder here uses them. So do other pictures of a collection or a burst, which viewers do not show either.
//
// A film beside the picture (an image sequence, a moving photograph) goes: its tracks have times, names and sound in many
// boxes of their own, nothing here shows them, and what is shown is the primary picture. A file with nothing but a film is
// refused.
type heif struct {
	e    *editor
	name string // of the format

	brands     []byte // the body of ftyp
	areas      []span // where items' data may lie: the bodies of mdat and idat
	idat       span
	hasMeta    bool
	hasFilm    bool
	primary    uint32
	items      []heifItem
	byID       map[uint32]int // the item's place in items
	extents    []span         // of all items, one after the other
	properties []property
	references []reference
}

// heifItem is one item.
type heifItem struct {
	id               uint32
	kind             string
	hidden           bool
	sealed           bool // encrypted
	elsewhere        bool // its data is in another file, or in another item
	method           byte // what offsets count from: 0 the file, 1 idat
	extents          span // which of heif.extents
	associations     []byte
	wideAssociations bool
	described        bool // by an entry of iinf; of iloc; of ipma
	located          bool
	associated       bool
	kept             bool
}

// property is one box of ipco.
type property struct {
	kind string
	box  []byte // whole
	kept bool
}

// reference goes from one item to others.
type reference struct {
	kind string
	from uint32
	to   []byte // numbers of items
	wide bool   // whether those take four bytes or two
}

func walkAVIF(e *editor) error { return walkHEIF(e, "AVIF") }
func walkHEIC(e *editor) error { return walkHEIF(e, "HEIC") }

func walkHEIF(e *editor, name string) error {
	if e.headOnly {
		return nil // decoders turn the picture by its properties, and are told to ignore EXIF
	}
	h := &heif{e: e, name: name, byID: map[uint32]int{}}
	if err := h.read(); err != nil {
		return err
	}
	if err := h.resolve(); err != nil {
		return err
	}
	if err := h.choose(); err != nil {
		return err
	}
	kept, err := h.data()
	if err != nil {
		return err
	}
	if !e.private {
		return e.keep(0, e.in.size)
	}
	if err := e.insert(h.head(kept)); err != nil {
		return err
	}
	for _, s := range kept {
		if err := e.keep(s.off, s.n); err != nil {
			return err
		}
	}
	return nil
}

// read walks through the boxes of the file.
func (h *heif) read() error {
	in := h.e.in
	if _, err := h.e.head(12, h.name, func(b []byte) bool { return string(b[4:8]) == "ftyp" }); err != nil {
		return err
	}
	for off := int64(0); off < in.size; {
		b, err := readBox(in, off, in.size)
		if errors.Is(err, errEnd) {
			if known := slices.Contains([]string{"ftyp", "meta", "mdat", "moov"}, b.kind); known || !h.hasMeta {
				return broken("The %s ends within the box at byte %d.", h.name, off)
			}
			h.e.drop() // what follows a file is no box
			break
		}
		if err != nil {
			return err
		}
		switch b.kind {
		case "ftyp":
			if off != 0 || b.body.n > 1024 {
				return broken("The %s has a damaged box at byte %d.", h.name, off)
			}
			if h.brands, err = h.load(b.body); err != nil {
				return err
			}
			if len(h.brands) < 8 {
				return broken("The %s has a damaged box at byte %d.", h.name, off)
			}
			if !bytes.Equal(h.brands, stillBrands(h.brands)) {
				h.e.drop()
			}
		case "meta":
			if err := h.readMeta(b); err != nil {
				return err
			}
		case "mdat":
			if err := h.area(b.body); err != nil {
				return err
			}
		case "moov", "moof":
			h.hasFilm = true
			h.e.drop()
		default:
			h.e.drop()
		}
		off = b.body.end()
	}
	switch {
	case h.hasMeta:
		return nil
	case h.hasFilm:
		return broken("The %s holds a film and no picture.", h.name)
	}
	return broken("The %s ends before its picture is described.", h.name)
}

func (h *heif) area(s span) error {
	if len(h.areas) == maxHEIFParts {
		return broken("The %s has more than %d boxes of data.", h.name, maxHEIFParts)
	}
	h.areas = append(h.areas, s)
	return nil
}

// load copies a part of the file.
func (h *heif) load(s span) ([]byte, error) {
	b := make([]byte, 0, s.n)
	for off := s.off; off < s.end(); {
		part, err := h.e.in.at(off, int(min(windowSize, s.end()-off)))
		if err != nil {
			return nil, err
		}
		b = append(b, part...)
		off += int64(len(part))
	}
	return b, nil
}

// readMeta reads the boxes that describe the items.
func (h *heif) readMeta(meta box) error {
	if h.hasMeta {
		return broken("The %s describes its picture twice, at byte %d.", h.name, meta.off)
	}
	h.hasMeta = true
	if meta.body.n < 4 {
		return h.damaged(meta)
	}
	loaded := int64(0)
	seen := map[string]bool{}
	for off := meta.body.off + 4; off < meta.body.end(); {
		b, err := readBox(h.e.in, off, meta.body.end())
		if errors.Is(err, errEnd) {
			return h.damaged(meta)
		}
		if err != nil {
			return err
		}
		off = b.body.end()
		parse := h.parser(b.kind)
		if parse == nil && b.kind != "idat" {
			h.e.drop()
			continue
		}
		if seen[b.kind] {
			return broken("The %s describes its picture twice, at byte %d.", h.name, b.off)
		}
		seen[b.kind] = true
		if b.kind == "idat" {
			h.idat = b.body
			if err := h.area(b.body); err != nil {
				return err
			}
			continue
		}
		if loaded += b.body.n; loaded > maxHEIFMeta {
			return broken("The %s has more than %d MB of descriptions.", h.name, maxHEIFMeta>>20)
		}
		body, err := h.load(b.body)
		if err != nil {
			return err
		}
		c := &cursor{b: body}
		if err := parse(c); err != nil {
			return err
		}
		if c.short {
			return h.damaged(b)
		}
		if len(c.b) > 0 {
			h.e.drop()
		}
	}
	for _, kind := range []string{"hdlr", "pitm", "iinf"} {
		if !seen[kind] {
			return broken("The %s does not say what its picture is.", h.name)
		}
	}
	return nil
}

func (h *heif) damaged(b box) error {
	return broken("The %s has a damaged box at byte %d.", h.name, b.off)
}

// resolve makes offsets in the file of all extents, and finds out whether the file holds them.
func (h *heif) resolve() error {
	for _, item := range h.items {
		if item.elsewhere {
			continue
		}
		extents, size := h.extents[item.extents.off:item.extents.end()], h.e.in.size
		if item.method == 1 {
			size = h.idat.n
		}
		for i := range extents {
			x := &extents[i]
			if x.off < 0 || x.n < 0 || x.off > size-x.n {
				return broken("The %s ends within the data of its item %d: %d bytes from byte %d on are not all there.",
					h.name, item.id, uint64(x.n), uint64(x.off))
			}
			if item.method == 1 {
				x.off += h.idat.off
			}
		}
	}
	return nil
}

// data returns where the data of what is kept lies.
func (h *heif) data() ([]span, error) {
	var kept []span
	for _, item := range h.items {
		if !item.kept {
			continue
		}
		empty := true
		for _, x := range h.extents[item.extents.off:item.extents.end()] {
			if x.n == 0 {
				continue
			}
			if holder(h.areas, x) < 0 {
				return nil, broken("The data of the %s's item %d lies where no data is.", h.name, item.id)
			}
			kept = append(kept, x)
			empty = false
		}
		if empty && item.kind != "iden" {
			return nil, broken("The %s's item %d has no data.", h.name, item.id)
		}
	}
	kept = merged(kept)
	if total(kept) < total(h.areas) {
		h.e.drop()
	}
	return kept, nil
}
