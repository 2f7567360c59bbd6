package imaging

import (
	"encoding/binary"
	"fmt"

	"github.com/kadr-app/kadr/internal/apperr"
)

// libheif shows what is there of a file that was cut off, and follows pictures that are made of each other until the
// stack ends. So the structure of an AVIF or HEIC is looked at before libheif gets it, and only as far as that: what is
// wrong otherwise is libheif's to find.

// Limits of how pictures in a HEIF may be made of others. A camera's grid has one level of some hundred tiles, of 512 pixels
// to a side.
const (
	maxDerivations = 4
	maxTiles       = 2500
)

// checkHEIF refuses a file in which a part of a picture lies outside of the file, or in which pictures are made of each
// other without end.
func checkHEIF(data []byte, format Format) error {
	h := heifFile{name: format.Name(), size: uint64(len(data)), made: map[uint32][]uint32{}}
	for b := range boxes(data) {
		if b.missing > 0 {
			return h.cutOff(b.missing)
		}
		if b.kind == "meta" && len(b.body) >= 4 {
			if err := h.readMeta(b.body[4:]); err != nil {
				return err
			}
		}
	}
	if tiles := h.tiles(h.primary, 0); tiles > maxTiles {
		return h.broken(fmt.Sprintf("The %s is put together from too many parts.", h.name))
	}
	return nil
}

type heifFile struct {
	name    string
	size    uint64
	idat    uint64 // size of the data inside of the meta box
	primary uint32
	extents []heifExtent
	made    map[uint32][]uint32 // what each picture is made of
}

// heifExtent is a piece of an item's data.
type heifExtent struct {
	offset, length uint64
	inside         bool // of the meta box
}

// isoBox is one box of an ISO media file.
type isoBox struct {
	kind    string
	body    []byte
	missing uint64 // bytes that it should have and the file has not
}

// boxes walks through boxes that follow each other. It ends with one that is cut off.
func boxes(data []byte) func(yield func(isoBox) bool) {
	return func(yield func(isoBox) bool) {
		for len(data) >= 8 {
			size, head := uint64(binary.BigEndian.Uint32(data)), uint64(8)
			switch {
			case size == 1 && len(data) >= 16:
				size, head = binary.BigEndian.Uint64(data[8:]), 16
			case size == 0:
				size = uint64(len(data))
			}
			if size < head {
				return
			}
			b := isoBox{kind: string(data[4:8])}
			if have := uint64(len(data)); size > have {
				b.missing, size = size-have, have
			}
			b.body = data[head:size]
			if !yield(b) || b.missing > 0 {
				return
			}
			data = data[size:]
		}
	}
}

func (h *heifFile) readMeta(body []byte) error {
	for b := range boxes(body) {
		c := cursor{data: b.body}
		switch b.kind {
		case "idat":
			h.idat = uint64(len(b.body))
		case "pitm":
			version := c.uint(4) >> 24
			h.primary = uint32(c.uint(itemSize(version, 1)))
		case "iloc":
			h.readLocations(&c)
		case "iref":
			h.readReferences(&c)
		}
	}
	for _, e := range h.extents {
		end, room := e.offset+e.length, h.size
		if e.inside {
			room = h.idat
		}
		if end < e.offset || end > room {
			return h.cutOff(end - room)
		}
	}
	return nil
}

// readLocations collects where the items' data lies in this file.
func (h *heifFile) readLocations(c *cursor) {
	version := c.uint(4) >> 24
	sizes := c.uint(2)
	offsetSize, lengthSize, baseSize, indexSize := int(sizes>>12), int(sizes>>8&15), int(sizes>>4&15), int(sizes&15)
	if version == 0 {
		indexSize = 0
	}
	for range c.uint(itemSize(version, 2)) {
		c.uint(itemSize(version, 2))
		method := uint64(0)
		if version > 0 {
			method = c.uint(2) & 15
		}
		elsewhere := c.uint(2) != 0 // in another file
		base := c.uint(baseSize)
		for range c.uint(2) {
			c.uint(indexSize)
			offset, length := c.uint(offsetSize), c.uint(lengthSize)
			if c.ended {
				return
			}
			if !elsewhere && method <= 1 {
				h.extents = append(h.extents, heifExtent{base + offset, length, method == 1})
			}
		}
	}
}

// readReferences collects which pictures are made of which.
func (h *heifFile) readReferences(c *cursor) {
	version := c.uint(4) >> 24
	for b := range boxes(c.data) {
		if b.kind != "dimg" {
			continue
		}
		r := cursor{data: b.body}
		from := uint32(r.uint(itemSize(version, 1)))
		for range r.uint(2) {
			if to := uint32(r.uint(itemSize(version, 1))); !r.ended {
				h.made[from] = append(h.made[from], to)
			}
		}
	}
}

// itemSize is how many bytes an item's number takes, from the given version of a box on four.
func itemSize(version, wide uint64) int {
	if version >= wide {
		return 4
	}
	return 2
}

// tiles counts the pictures that have to be decoded for one, up to a little more than are allowed.
func (h *heifFile) tiles(item uint32, depth int) int {
	parts := h.made[item]
	if len(parts) == 0 {
		return 1
	}
	if depth >= maxDerivations {
		return maxTiles + 1
	}
	sum := 0
	for _, part := range parts {
		if sum += h.tiles(part, depth+1); sum > maxTiles {
			break
		}
	}
	return sum
}

func (h *heifFile) cutOff(missing uint64) error {
	return h.broken(fmt.Sprintf("The %s ends too early: %d bytes are missing.", h.name, missing))
}

func (h *heifFile) broken(message string) error {
	return apperr.New(ErrBroken.Kind, ErrBroken.Code, message)
}

// cursor reads big-endian numbers one after the other. After the end they are 0.
type cursor struct {
	data  []byte
	ended bool
}

func (c *cursor) uint(size int) uint64 {
	if c.ended = c.ended || size > len(c.data); c.ended {
		return 0
	}
	var v uint64
	for _, b := range c.data[:size] {
		v = v<<8 | uint64(b)
	}
	c.data = c.data[size:]
	return v
}
