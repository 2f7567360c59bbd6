package imaging

import (
	"encoding/binary"
	"fmt"

	"github.com/kadr-app/kadr/internal/apperr"
)

// checkTIFF refuses a file in which a strip or tile of the first picture, or the directory that lists them, lies outside
// of the file: libtiff makes up what it cannot read. What is wrong otherwise is libtiff's to find.
func checkTIFF(data []byte) error {
	t, ok := newTIFF(data)
	if !ok {
		return tiffCutOff()
	}
	tags := map[uint16][]uint64{}
	at := t.first
	count, ok := t.uint(at, t.countSize)
	if !ok {
		return tiffCutOff()
	}
	at += uint64(t.countSize)
	entry := uint64(4 + 2*t.wordSize)
	if count > uint64(len(data))/entry {
		return tiffCutOff()
	}
	for range count {
		tag, _ := t.uint(at, 2)
		switch tag {
		case stripOffsets, stripCounts, tileOffsets, tileCounts:
			values, ok := t.values(at)
			if !ok {
				return tiffCutOff()
			}
			tags[uint16(tag)] = values
		}
		at += entry
	}
	if _, ok := t.uint(at, t.wordSize); !ok { // where the next directory lies
		return tiffCutOff()
	}
	for offsets, counts := range map[uint16]uint16{stripOffsets: stripCounts, tileOffsets: tileCounts} {
		for i, offset := range tags[offsets] {
			length := uint64(0)
			if i < len(tags[counts]) {
				length = tags[counts][i]
			}
			if end := offset + length; end < offset || end > uint64(len(data)) {
				return tiffCutOff()
			}
		}
	}
	return nil
}

func tiffCutOff() error {
	return apperr.New(ErrBroken.Kind, ErrBroken.Code, fmt.Sprintf("The %s ends too early: a part of the picture lies outside of the file.", TIFF.Name()))
}

// The tags that say where the pixels lie.
const (
	stripOffsets = 273
	stripCounts  = 279
	tileOffsets  = 324
	tileCounts   = 325
)

// tiff is a file whose numbers can be read. In a BigTIFF they are wider.
type tiff struct {
	data      []byte
	order     binary.ByteOrder
	first     uint64 // where the first directory lies
	wordSize  int    // of an offset, and of a count of values
	countSize int    // of the number of entries
}

func newTIFF(data []byte) (tiff, bool) {
	t := tiff{data: data, order: binary.LittleEndian, wordSize: 4, countSize: 2}
	if len(data) < 8 {
		return t, false
	}
	if data[0] == 'M' {
		t.order = binary.BigEndian
	}
	at := uint64(4)
	if t.order.Uint16(data[2:]) == 43 {
		t.wordSize, t.countSize, at = 8, 8, 8
	}
	var ok bool
	t.first, ok = t.uint(at, t.wordSize)
	return t, ok
}

// uint reads a number of 1, 2, 4 or 8 bytes.
func (t tiff) uint(at uint64, size int) (uint64, bool) {
	if at > uint64(len(t.data)) || uint64(size) > uint64(len(t.data))-at {
		return 0, false
	}
	b := t.data[at:]
	switch size {
	case 1:
		return uint64(b[0]), true
	case 2:
		return uint64(t.order.Uint16(b)), true
	case 4:
		return uint64(t.order.Uint32(b)), true
	}
	return t.order.Uint64(b), true
}

// values reads the numbers of a directory's entry. What is not of a kind that offsets are has none.
func (t tiff) values(entry uint64) ([]uint64, bool) {
	kind, _ := t.uint(entry+2, 2)
	count, ok := t.uint(entry+4, t.wordSize)
	size := map[uint64]int{3: 2, 4: 4, 16: 8}[kind]
	if !ok || size == 0 {
		return nil, ok
	}
	at := entry + 4 + uint64(t.wordSize)
	if count > uint64(len(t.data)) {
		return nil, false
	}
	if count*uint64(size) > uint64(t.wordSize) { // they are elsewhere
		if at, ok = t.uint(at, t.wordSize); !ok {
			return nil, false
		}
	}
	values := make([]uint64, 0, count)
	for i := range count {
		v, ok := t.uint(at+i*uint64(size), size)
		if !ok {
			return nil, false
		}
		values = append(values, v)
	}
	return values, true
}
