package metadata

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// brandKept tells which brands say something true of a file that has one picture and no film.
func brandKept(brand string) bool {
	switch brand {
	case "mif1", "mif2", "miaf", "avif", "avio", "heic", "heix", "heim", "heis", "MiHA", "MiHB", "MiHE", "MiPr", "MA1A", "MA1B":
		return true
	}
	return false
}

// stillBrand returns what a still picture has in place of a film's brand.
func stillBrand(brand string) string {
	switch brand {
	case "avis":
		return "avif"
	case "hevc":
		return "heic"
	case "hevx":
		return "heix"
	case "msf1":
		return "mif1"
	}
	return brand
}

// head puts together all that comes before the data.
func (h *heif) head(kept []span) []byte {
	n := total(kept)
	wide := n > 1<<32-1-2*maxHEIFMeta-2*maxHEIFParts*64 // the head is not known yet, but smaller than this
	build := func(start int64) []byte {
		b := appendBox(nil, "ftyp", stillBrands(h.brands))
		b = append(b, h.meta(kept, start, wide)...)
		if wide {
			return binary.BigEndian.AppendUint64(append(b, 0, 0, 0, 1, 'm', 'd', 'a', 't'), uint64(n+16))
		}
		return append(binary.BigEndian.AppendUint32(b, uint32(n+8)), "mdat"...)
	}
	return build(int64(len(build(0)))) // the second time it is known where the data begins
}

// stillBrands returns a ftyp's body, made of another.
func stillBrands(body []byte) []byte {
	major := stillBrand(string(body[:4]))
	b := append([]byte(major), 0, 0, 0, 0)
	seen := map[string]bool{}
	add := func(brand string) {
		if brand = stillBrand(brand); brandKept(brand) && !seen[brand] {
			seen[brand] = true
			b = append(b, brand...)
		}
	}
	for rest := body[8:]; len(rest) >= 4; rest = rest[4:] {
		add(string(rest[:4]))
	}
	add(major)
	return b
}

// meta puts the descriptions together for data that begins at start.
func (h *heif) meta(kept []span, start int64, wide bool) []byte {
	items := make([]*heifItem, 0, len(h.items))
	wideID := h.primary > 1<<16-1
	for i := range h.items {
		if h.items[i].kept {
			items = append(items, &h.items[i])
			wideID = wideID || h.items[i].id > 1<<16-1
		}
	}
	idSize, version := 2, byte(0)
	if wideID {
		idSize, version = 4, 1
	}
	version32 := func(v byte) []byte { return []byte{v, 0, 0, 0} }
	id := func(b []byte, id uint32) []byte { return appendUint(b, idSize, uint64(id)) }

	// The file's data has moved, all that is in one piece by as much.
	starts := make([]int64, len(kept))
	for i, s := range kept {
		starts[i] = start
		start += s.n
	}
	offsetSize := 4
	if wide {
		offsetSize = 8
	}
	locations := append(version32(version*2), byte(offsetSize<<4|offsetSize), 0)
	locations = appendUint(locations, idSize, uint64(len(items)))
	infos := appendUint(version32(0), 2, uint64(len(items)))
	for _, item := range items {
		locations = appendUint(id(locations, item.id), 2, 0)
		count := len(locations)
		locations = appendUint(locations, 2, 0)
		n := uint16(0)
		for _, x := range h.extents[item.extents.off:item.extents.end()] {
			if x.n == 0 {
				continue
			}
			i := holder(kept, x)
			n++
			locations = appendUint(locations, offsetSize, uint64(starts[i]+x.off-kept[i].off))
			locations = appendUint(locations, offsetSize, uint64(x.n))
		}
		binary.BigEndian.PutUint16(locations[count:], n)

		flags := byte(0)
		if item.hidden {
			flags = 1
		}
		infos = appendBox(infos, "infe", id([]byte{version + 2, 0, 0, flags}, item.id), []byte{0, 0}, []byte(item.kind), []byte{0})
	}
	b := appendBox(nil, "hdlr", handler())
	b = appendBox(b, "pitm", id(version32(version), h.primary))
	b = appendBox(b, "iloc", locations)
	b = appendBox(b, "iinf", infos)
	if references := h.keptReferences(id); len(references) > 0 {
		b = appendBox(b, "iref", version32(version), references)
	}
	b = appendBox(b, "iprp", h.keptProperties(items, id, version))
	return appendBox(nil, "meta", version32(0), b)
}

// keptReferences are those between kept items that tell what one is to the other.
func (h *heif) keptReferences(id func([]byte, uint32) []byte) (b []byte) {
	for _, r := range h.references {
		to := h.keptTargets(r)
		if len(to) == 0 {
			continue
		}
		body := appendUint(id(nil, r.from), 2, uint64(len(to)))
		for _, target := range to {
			body = id(body, target)
		}
		b = appendBox(b, r.kind, body)
	}
	return b
}

// keptTargets returns what a reference goes to in the new file.
func (h *heif) keptTargets(r reference) (to []uint32) {
	i, ok := h.byID[r.from]
	if !ok || !h.items[i].kept {
		return nil
	}
	switch r.kind {
	case "dimg":
		if !h.items[i].derived() {
			return nil
		}
	case "auxl", "prem":
	default:
		return nil
	}
	for c := r.targets(); len(c.b) > 0; {
		target := c.id(r.wide)
		if j, ok := h.byID[target]; ok && h.items[j].kept {
			to = append(to, target)
		}
	}
	return to
}

// keptProperties puts iprp's body together: the properties that are kept, with new numbers, and whose they are.
func (h *heif) keptProperties(items []*heifItem, id func([]byte, uint32) []byte, version byte) []byte {
	var container []byte
	number := make([]int, len(h.properties)+1) // the new one of each
	n := 0
	for i, p := range h.properties {
		if p.kept {
			n++
			number[i+1] = n
			container = append(container, p.box...)
		}
	}
	size, flags, most := 1, byte(0), uint64(1)<<7
	if n > 127 {
		size, flags, most = 2, 1, 1<<15
	}
	items = slices.Clone(items)
	slices.SortFunc(items, func(a, b *heifItem) int { return cmp.Compare(a.id, b.id) })
	entries, count := []byte(nil), uint64(0)
	for _, item := range items {
		var associations []byte
		for c := (&cursor{b: item.associations}); len(c.b) > 0; {
			old, essential := item.association(c)
			if number[old] == 0 {
				continue
			}
			v := uint64(number[old])
			if essential {
				v |= most
			}
			associations = appendUint(associations, size, v)
		}
		if len(associations) == 0 {
			continue
		}
		count++
		entries = append(id(entries, item.id), byte(len(associations)/size))
		entries = append(entries, associations...)
	}
	association := appendUint([]byte{version, 0, 0, flags}, 4, count)
	return appendBox(appendBox(nil, "ipco", container), "ipma", association, entries)
}
