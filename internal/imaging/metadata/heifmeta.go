package metadata

import "bytes"

// parser returns what reads a box of meta, or nil when nothing in it is kept.
func (h *heif) parser(kind string) func(*cursor) error {
	switch kind {
	case "hdlr":
		return h.readHandler
	case "pitm":
		return h.readPrimary
	case "iinf":
		return h.readInfos
	case "iloc":
		return h.readLocations
	case "iref":
		return h.readReferences
	case "iprp":
		return h.readProperties
	}
	return nil
}

// handler is a hdlr's body without a name, which would be that of the software.
func handler() []byte {
	return append([]byte("\x00\x00\x00\x00\x00\x00\x00\x00pict"), make([]byte, 13)...)
}

func (h *heif) readHandler(c *cursor) error {
	body := c.take(len(c.b))
	if len(body) < 12 || string(body[8:12]) != "pict" {
		return broken("The %s does not say that it is a picture.", h.name)
	}
	if !bytes.Equal(body, handler()) {
		h.e.drop()
	}
	return nil
}

func (h *heif) readPrimary(c *cursor) error {
	version, _ := c.version()
	h.primary = c.id(version > 0)
	return nil
}

// item returns an item by its number. Boxes may come in any order, so whichever names it first makes it.
func (h *heif) item(id uint32) (*heifItem, error) {
	i, ok := h.byID[id]
	if !ok {
		if len(h.items) == maxHEIFParts {
			return nil, broken("The %s has more than %d items.", h.name, maxHEIFParts)
		}
		i = len(h.items)
		h.byID[id] = i
		h.items = append(h.items, heifItem{id: id})
	}
	return &h.items[i], nil
}

// once is for what may be said once only: of two, readers choose differently.
func (h *heif) once(said *bool, id uint32) error {
	if *said {
		return broken("The %s describes its item %d twice.", h.name, id)
	}
	*said = true
	return nil
}

func (h *heif) readInfos(c *cursor) error {
	version, _ := c.version()
	count := c.uint(2)
	if version > 0 {
		count = count<<16 | c.uint(2)
	}
	for n := uint64(0); n < count && !c.short; n++ {
		kind, body, _ := c.box()
		if kind != "infe" {
			h.e.drop()
			continue
		}
		entry := &cursor{b: body}
		if err := h.readInfo(entry); err != nil {
			return err
		}
		c.short = c.short || entry.short
	}
	return nil
}

func (h *heif) readInfo(c *cursor) error {
	version, flags := c.version()
	if version < 2 {
		h.e.drop() // without a kind it is no picture
		return nil
	}
	item, err := h.item(c.id(version > 2))
	if err != nil {
		return err
	}
	if err := h.once(&item.described, item.id); err != nil {
		return err
	}
	item.sealed = c.uint(2) != 0
	item.kind = string(c.take(4))
	item.hidden = flags&1 != 0
	if name := c.take(len(c.b)); len(name) > 1 || len(name) == 1 && name[0] != 0 {
		h.e.drop()
	}
	return nil
}

func (h *heif) readLocations(c *cursor) error {
	version, _ := c.version()
	sizes := c.uint(2)
	offsetSize, lengthSize, baseSize, indexSize := int(sizes>>12), int(sizes>>8&15), int(sizes>>4&15), int(sizes&15)
	if version == 0 {
		indexSize = 0
	}
	if max(offsetSize, lengthSize, baseSize, indexSize) > 8 {
		c.short = true
		return nil
	}
	count := c.uint(2)
	if version > 1 {
		count = count<<16 | c.uint(2)
	}
	for n := uint64(0); n < count && !c.short; n++ {
		item, err := h.item(c.id(version > 1))
		if err != nil {
			return err
		}
		if err := h.once(&item.located, item.id); err != nil {
			return err
		}
		if version > 0 {
			item.method = byte(c.uint(2) & 15)
		}
		if c.uint(2) != 0 || item.method > 1 {
			item.elsewhere = true
		}
		base := c.uint(baseSize)
		item.extents.off = int64(len(h.extents))
		for extents := c.uint(2); extents > 0 && !c.short; extents-- {
			c.uint(indexSize)
			offset, length := c.uint(offsetSize), c.uint(lengthSize)
			if len(h.extents) == maxHEIFExtents {
				return broken("The %s has its data in more than %d pieces.", h.name, maxHEIFExtents)
			}
			// A sum that does not fit is negative, or small after all and then wrong but within the file.
			h.extents = append(h.extents, span{int64(base + offset), int64(length)})
			item.extents.n++
		}
	}
	return nil
}

func (h *heif) readReferences(c *cursor) error {
	version, _ := c.version()
	for len(c.b) > 0 && !c.short {
		kind, body, _ := c.box()
		r := cursor{b: body}
		wide := version > 0
		size := 2
		if wide {
			size = 4
		}
		from := r.id(wide)
		to := r.take(int(r.uint(2)) * size)
		if len(h.references) == maxHEIFParts {
			return broken("The %s has more than %d references.", h.name, maxHEIFParts)
		}
		h.references = append(h.references, reference{kind, from, to, wide})
		if len(r.b) > 0 {
			h.e.drop()
		}
		c.short = c.short || r.short
	}
	return nil
}

func (h *heif) readProperties(c *cursor) error {
	kind, body, _ := c.box()
	if kind != "ipco" {
		c.short = true
		return nil
	}
	container := &cursor{b: body}
	for len(container.b) > 0 && !container.short {
		kind, _, whole := container.box()
		if len(h.properties) == maxHEIFParts {
			return broken("The %s has more than %d properties.", h.name, maxHEIFParts)
		}
		h.properties = append(h.properties, property{kind: kind, box: whole})
	}
	c.short = c.short || container.short
	for len(c.b) > 0 && !c.short {
		kind, body, _ := c.box()
		if kind != "ipma" {
			h.e.drop()
			continue
		}
		r := &cursor{b: body}
		if err := h.readAssociations(r); err != nil {
			return err
		}
		if len(r.b) > 0 {
			h.e.drop()
		}
		c.short = c.short || r.short
	}
	return nil
}

func (h *heif) readAssociations(c *cursor) error {
	version, flags := c.version()
	size := 1 + int(flags&1)
	for count := c.uint(4); count > 0 && !c.short; count-- {
		item, err := h.item(c.id(version > 0))
		if err != nil {
			return err
		}
		if err := h.once(&item.associated, item.id); err != nil {
			return err
		}
		item.wideAssociations = size == 2
		item.associations = c.take(int(c.uint(1)) * size)
	}
	return nil
}

// association takes the next of an item's associations: the number of a property, from 1 on, and whether the item cannot
// be shown without it.
func (i *heifItem) association(c *cursor) (property int, essential bool) {
	if i.wideAssociations {
		v := c.uint(2)
		return int(v & 0x7fff), v&0x8000 != 0
	}
	v := c.uint(1)
	return int(v & 0x7f), v&0x80 != 0
}
