package metadata

import (
	"bytes"
	"slices"
)

// choose marks what stays: the primary picture with what it is made of, its alpha with what that is made of, and their
// properties.
func (h *heif) choose() error {
	primary, ok := h.byID[h.primary]
	if !ok || !h.items[primary].described {
		return broken("The %s has no item %d, which should be its picture.", h.name, h.primary)
	}
	from := map[uint32][]int{} // references by where they come from
	for i, r := range h.references {
		if r.kind == "dimg" {
			from[r.from] = append(from[r.from], i)
		}
	}
	if err := h.keepItem(primary, from); err != nil {
		return err
	}
	var alphas []int
	for _, r := range h.references {
		i, ok := h.byID[r.from]
		if r.kind == "auxl" && ok && h.items[i].described && h.isAlpha(&h.items[i]) && h.toKept(r) {
			alphas = append(alphas, i)
		}
	}
	for _, i := range alphas {
		if err := h.keepItem(i, from); err != nil {
			return err
		}
	}
	for i := range h.items {
		if !h.items[i].kept {
			h.e.drop()
			continue
		}
		if err := h.keepProperties(&h.items[i]); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(h.properties, func(p property) bool { return !p.kept }) {
		h.e.drop()
	}
	for _, r := range h.references {
		size := 2
		if r.wide {
			size = 4
		}
		if n := len(h.keptTargets(r)); n == 0 || n*size < len(r.to) {
			h.e.drop()
		}
	}
	return nil
}

// keepItem keeps an item and, of one that is derived from others, those.
func (h *heif) keepItem(first int, from map[uint32][]int) error {
	for queue := []int{first}; len(queue) > 0; {
		item := &h.items[queue[0]]
		queue = queue[1:]
		if item.kept {
			continue
		}
		switch item.kind {
		case "av01", "hvc1", "grid", "iovl", "iden":
		default:
			return broken("The %s's item %d is of a kind that is not known here.", h.name, item.id)
		}
		if item.sealed || item.elsewhere {
			return broken("The %s's item %d has no data of its own.", h.name, item.id)
		}
		item.kept = true
		if !item.derived() {
			continue
		}
		for _, r := range from[item.id] {
			for to := h.references[r].targets(); len(to.b) > 0; {
				id := to.id(h.references[r].wide)
				i, ok := h.byID[id]
				if !ok || !h.items[i].described {
					return broken("The %s's item %d is made of an item %d, which is not there.", h.name, item.id, id)
				}
				if !h.items[i].kept {
					queue = append(queue, i)
				}
			}
		}
	}
	return nil
}

// derived tells whether an item is made of others.
func (i *heifItem) derived() bool { return i.kind == "grid" || i.kind == "iovl" || i.kind == "iden" }

func (r reference) targets() cursor { return cursor{b: r.to} }

// toKept tells whether a reference goes to something that is kept.
func (h *heif) toKept(r reference) bool {
	for to := r.targets(); len(to.b) > 0; {
		if i, ok := h.byID[to.id(r.wide)]; ok && h.items[i].kept {
			return true
		}
	}
	return false
}

// isAlpha tells whether an auxiliary picture is the transparency of another.
func (h *heif) isAlpha(item *heifItem) bool {
	for c := (&cursor{b: item.associations}); len(c.b) > 0; {
		n, _ := item.association(c)
		if n == 0 || n > len(h.properties) || h.properties[n-1].kind != "auxC" {
			continue
		}
		urn, _, _ := bytes.Cut(h.properties[n-1].box[min(12, len(h.properties[n-1].box)):], []byte{0})
		switch string(urn) {
		case "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", "urn:mpeg:hevc:2015:auxid:1", "urn:mpeg:avc:2015:auxid:1":
			return true
		}
	}
	return false
}

// keepProperties marks the properties that an item needs.
func (h *heif) keepProperties(item *heifItem) error {
	for c := (&cursor{b: item.associations}); len(c.b) > 0; {
		n, essential := item.association(c)
		if n > len(h.properties) {
			return broken("The %s's item %d has a property %d, which is not there.", h.name, item.id, n)
		}
		if n == 0 || !h.properties[n-1].needed() {
			if essential && n > 0 {
				return broken("The %s's item %d has to be shown in a way that is not known here.", h.name, item.id)
			}
			h.e.drop()
			continue
		}
		p := &h.properties[n-1]
		if p.kept {
			continue
		}
		p.kept = true
		switch length := p.length(); {
		case len(p.box) < length:
			return broken("The %s's item %d has a damaged property %d.", h.name, item.id, n)
		case length > 0 && len(p.box) > length:
			p.box = appendBox(nil, p.kind, p.box[8:length])
			h.e.drop()
		}
	}
	return nil
}

// needed tells whether a property says how to decode an item, or how to show it. Those that do not have descriptions,
// times of creation, names of things in the picture, camera matrices.
func (p property) needed() bool {
	switch p.kind {
	case "av1C", "hvcC", "ispe", "pixi", "auxC",
		"irot", "imir", "clap", "pasp",
		"clli", "mdcv", "cclv", "amve",
		"a1op", "a1lx", "lsel":
		return true
	case "colr":
		switch string(p.box[8:min(12, len(p.box))]) {
		case "nclx", "rICC", "prof":
			return true
		}
	}
	return false
}

// length is how many bytes a property takes that is always as long; 0 for others.
func (p property) length() int {
	const head, version = 8, 4
	switch p.kind {
	case "ispe":
		return head + version + 8
	case "pixi":
		if len(p.box) > head+version {
			return head + version + 1 + int(p.box[head+version])
		}
		return head + version + 1
	case "irot", "imir", "a1op":
		return head + 1
	case "lsel":
		return head + 2
	case "clap":
		return head + 32
	case "pasp", "amve":
		return head + 8
	case "clli":
		return head + 4
	case "mdcv":
		return head + 24
	case "colr":
		if string(p.box[8:12]) == "nclx" {
			return head + 11
		}
	}
	return 0
}
