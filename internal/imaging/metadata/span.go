package metadata

import (
	"cmp"
	"slices"
)

// span is a piece of a file.
type span struct{ off, n int64 }

func (s span) end() int64 { return s.off + s.n }

// merged puts spans in the order of the file and makes one of those that touch or overlap. It uses the slice that it was
// given.
func merged(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.off, b.off) })
	out := spans[:0]
	for _, s := range spans {
		switch last := len(out) - 1; {
		case s.n == 0:
		case last >= 0 && s.off <= out[last].end():
			out[last].n = max(out[last].end(), s.end()) - out[last].off
		default:
			out = append(out, s)
		}
	}
	return out
}

// holder returns which of the spans, which are in the order of the file and apart, holds all of s, or -1.
func holder(spans []span, s span) int {
	i, found := slices.BinarySearchFunc(spans, s.off, func(a span, off int64) int { return cmp.Compare(a.off, off) })
	if !found {
		i--
	}
	if i < 0 || s.end() > spans[i].end() {
		return -1
	}
	return i
}

func total(spans []span) (n int64) {
	for _, s := range spans {
		n += s.n
	}
	return n
}
