package hostile

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// entry is one of a TIFF directory. A value of more than four bytes is put after the directory.
type entry struct {
	tag, kind uint16
	count     uint32
	value     []byte
}

// The kinds of values.
const (
	kindASCII = 2
	kindShort = 3
	kindLong  = 4
	kindAny   = 7
)

func short(tag, value uint16) entry {
	return entry{tag, kindShort, 1, binary.LittleEndian.AppendUint16(nil, value)}
}

func long(tag uint16, value uint32) entry {
	return entry{tag, kindLong, 1, binary.LittleEndian.AppendUint32(nil, value)}
}

// directory is a little-endian one that stands at an offset of its file, and what its entries need after it.
func directory(at int, next uint32, entries ...entry) []byte {
	b := binary.LittleEndian.AppendUint16(nil, uint16(len(entries)))
	var after []byte
	free := at + 2 + 12*len(entries) + 4
	for _, e := range entries {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.kind)
		b = binary.LittleEndian.AppendUint32(b, e.count)
		if len(e.value) <= 4 {
			b = append(append(b, e.value...), make([]byte, 4-len(e.value))...)
			continue
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(free+len(after)))
		after = append(after, e.value...)
	}
	return append(binary.LittleEndian.AppendUint32(b, next), after...)
}

// Its pixels come first, so that their offset is known.
const tiffPixels = 8

// tiffFile has its first directory after the pixels.
func tiffFile(pixels []byte, next uint32, entries ...entry) []byte {
	at := tiffPixels + len(pixels)
	at += at % 2
	b := append([]byte("II*\x00"), binary.LittleEndian.AppendUint32(nil, uint32(at))...)
	b = append(b, pixels...)
	if len(b)%2 == 1 {
		b = append(b, 0)
	}
	return append(b, directory(at, next, entries...)...)
}

// grey is what a TIFF of one strip and one byte for each pixel has to say; more entries may follow.
func grey(width, height uint32, compression uint16, length int, more ...entry) []entry {
	return append([]entry{
		long(256, width), long(257, height), short(258, 8), short(259, compression), short(262, 1),
		long(273, tiffPixels), short(277, 1), long(278, height), long(279, uint32(length)),
	}, more...)
}

func plainTIFF() []byte { return tiffWith() }

func tiffWith(more ...entry) []byte {
	var pixels []byte
	picture := draw()
	for i := 0; i < len(picture.Pix); i += 4 {
		pixels = append(pixels, picture.Pix[i])
	}
	return tiffFile(pixels, 0, grey(wide, high, 1, len(pixels), more...)...)
}

func tiffs(g *group) {
	const deflate, plain = 8, 1
	pixels := make([]byte, wide*high)
	broken := Refused422 | optional
	either := Accepted | Refused422 | optional

	g.add("side.tiff", broken, tiffFile(pixels, 0, grey(100_000, 100_000, plain, len(pixels))...))
	g.add("side-huge.tiff", broken, tiffFile(pixels, 0, grey(1<<31, 1<<31, plain, len(pixels))...))
	g.add("side-negative.tiff", broken, tiffFile(pixels, 0, grey(1<<32-1, 1<<32-1, plain, len(pixels))...))
	g.add("within.tiff", either, tiffFile(bomb(96), 0, grey(10_000, 10_000, deflate, len(bomb(96)))...))
	g.add("within-short.tiff", either, tiffFile(pixels, 0, grey(10_000, 10_000, plain, len(pixels))...))
	g.add("too-much-data.tiff", either, tiffFile(bomb(200), 0, grey(8, 8, deflate, len(bomb(200)))...))

	strips := func(width, height uint32, n int, offset, length uint32) []entry {
		one := func(v uint32) []byte { return bytes.Repeat(binary.LittleEndian.AppendUint32(nil, v), n) }
		entries := grey(width, height, plain, 0)
		entries[5] = entry{273, kindLong, uint32(n), one(offset)}
		entries[7] = long(278, 1)
		entries[8] = entry{279, kindLong, uint32(n), one(length)}
		return entries
	}
	g.add("strips.tiff", broken, tiffFile(pixels, 0, strips(100_000, 100_000, 20_000, tiffPixels, 1)...))
	g.add("strips-same.tiff", either, tiffFile(pixels, 0, strips(3000, 20_000, 20_000, tiffPixels, 3000)...))
	g.add("strips-outside.tiff", broken, tiffFile(pixels, 0, strips(wide, high, high, 1<<31, wide)...))
	g.add("strips-huge.tiff", either, tiffFile(pixels, 0, strips(wide, high, high, tiffPixels, 1<<32-1)...))
	tiles := grey(9000, 9000, deflate, 0)
	tiles[5], tiles[7], tiles[8] = long(324, tiffPixels), long(322, 1<<31-16), long(325, 1000)
	g.add("tiles-huge.tiff", broken, tiffFile(pixels, 0, append(tiles, long(323, 1<<31-16))...))

	g.add("loop.tiff", either, tiffFile(pixels, uint32(tiffPixels+len(pixels)), grey(wide, high, plain, len(pixels))...))
	g.add("loop-only.tiff", broken, append([]byte("II*\x00\x08\x00\x00\x00"), directory(8, 8)...))
	many := []byte("II*\x00\x08\x00\x00\x00")
	for range 2000 {
		entries := grey(4, 4, plain, 4)
		many = append(many, directory(len(many), uint32(len(many)+2+12*len(entries)+4), entries...)...)
	}
	g.add("directories.tiff", either, many)
	few := []byte("II*\x00\x08\x00\x00\x00")
	for range 40_000 {
		few = append(few, directory(len(few), uint32(len(few)+6))...)
	}
	g.add("directories-empty.tiff", broken, few)
	g.add("directory-outside.tiff", broken, []byte("II*\x00\xf0\xff\xff\xff\x00\x00"))
	g.add("directory-cut.tiff", broken, append([]byte("II*\x00\x08\x00\x00\x00\xff\xff"), make([]byte, 100)...))
	for name, e := range map[string]entry{
		"samples": short(277, 65535), "bits": short(258, 65535), "bits-none": short(258, 0), "compression": short(259, 65535),
		"photometric": short(262, 65535), "count": {256, kindLong, 1<<32 - 1, []byte{0, 0, 0, 0}}, "kind": {256, 65535, 1, nil},
		"width-none": long(256, 0), "rows-none": long(278, 0), "jpeg": short(259, 7), "jpeg-old": short(259, 6),
	} {
		entries := grey(wide, high, plain, len(pixels))
		i := slices.IndexFunc(entries, func(o entry) bool { return o.tag == e.tag })
		entries[i] = e
		g.add(name+".tiff", either, tiffFile(pixels, 0, entries...))
	}
	g.add("subdirectories.tiff", either, tiffWith(entry{330, kindLong, 1000, make([]byte, 4000)}))
	g.add("comment-huge.tiff", either, tiffWith(entry{270, kindASCII, 1<<32 - 1, []byte{8, 0, 0, 0}}))
	g.add("big.tiff", either, append([]byte("II+\x00\x08\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00"), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff))
	order(g)
}
