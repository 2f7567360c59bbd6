package hostile

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"
)

const pngMagic = "\x89PNG\r\n\x1a\n"

func pngChunk(kind string, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(append(b, kind...), body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

func pngHeader(width, height uint32, depth, colours, interlace byte) []byte {
	b := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	return pngChunk("IHDR", append(b, depth, colours, 0, 0, interlace))
}

func pngFile(chunks ...[]byte) []byte {
	return slices.Concat([]byte(pngMagic), slices.Concat(chunks...), pngChunk("IEND", nil))
}

// pngWith puts chunks between a PNG's header and its pixels.
func pngWith(chunks ...[]byte) []byte {
	plain := plainPNG()
	return slices.Concat(plain[:33], slices.Concat(chunks...), plain[33:])
}

func pngs(g *group) {
	pixels := func(megabytes int) []byte { return pngChunk("IDAT", bomb(megabytes)) }
	end := pngChunk("IEND", nil)

	g.add("side.png", Refused422, pngFile(pngHeader(1<<31-1, 1<<31-1, 8, 6, 0), pixels(10)))
	g.add("side-negative.png", Refused422, pngFile(pngHeader(1<<32-1, 1<<32-1, 8, 6, 0), pixels(1)))
	g.add("square.png", Refused422, pngFile(pngHeader(50_000, 50_000, 1, 0, 0), pixels(200)))
	g.add("line.png", Accepted|Refused422, pngFile(pngHeader(90_000_000, 1, 1, 0, 0), pixels(12)))
	g.add("column.png", Accepted|Refused422, pngFile(pngHeader(1, 9_000_000, 1, 0, 0), pixels(20)))
	// Within the usual limits; a megabyte more than it takes.
	g.add("within.png", Accepted, pngFile(pngHeader(10_000, 10_000, 1, 0, 0), pixels(12)))
	g.add("within-deep.png", Accepted|Refused422, pngFile(pngHeader(5_000, 5_000, 16, 6, 0), pixels(191)))
	g.add("within-interlaced.png", Accepted|Refused422, pngFile(pngHeader(10_000, 10_000, 1, 0, 1), pixels(13)))
	g.add("too-much-data.png", Accepted|Refused422, pngFile(pngHeader(8, 8, 8, 6, 0), pixels(200)))
	g.add("no-width.png", Refused422, pngFile(pngHeader(0, 8, 8, 6, 0), pixels(1)))
	g.add("no-pixels.png", Refused422, pngFile(pngHeader(8, 8, 8, 6, 0)))
	for _, c := range []struct {
		name           string
		depth, colours byte
	}{{"depth", 255, 6}, {"depth-none", 0, 6}, {"colours", 8, 255}, {"palette-none", 8, 3}} {
		g.add(c.name+".png", Refused422, pngFile(pngHeader(8, 8, c.depth, c.colours, 0), pixels(1)))
	}

	large := bomb(190)
	text := func(keyword string) []byte { return append([]byte(keyword), 0, 0) }
	g.add("text-bomb.png", Accepted|Refused422, pngWith(pngChunk("zTXt", append(text("Comment"), large...))))
	g.add("international-bomb.png", Accepted|Refused422,
		pngWith(pngChunk("iTXt", slices.Concat([]byte("Comment\x00\x01\x00\x00\x00"), large))))
	g.add("xmp-bomb.png", Accepted|Refused422,
		pngWith(pngChunk("iTXt", slices.Concat([]byte("XML:com.adobe.xmp\x00\x01\x00\x00\x00"), large))))
	g.add("profile-bomb.png", Accepted|Refused422, pngWith(pngChunk("iCCP", append(text("icc"), large...))))
	g.add("text-bombs.png", Accepted|Refused422,
		pngWith(bytes.Repeat(pngChunk("zTXt", append(text("Comment"), bomb(7)...)), 30)))
	g.add("texts.png", Accepted|Refused422, pngWith(bytes.Repeat(pngChunk("tEXt", []byte("a\x00b")), 15_000)))
	g.add("empty-data.png", Accepted|Refused422, pngWith(bytes.Repeat(pngChunk("IDAT", nil), 20_000)))
	g.add("headers.png", Accepted|Refused422, pngWith(bytes.Repeat(pngHeader(50_000, 50_000, 8, 6, 0), 100)))
	g.add("palette-odd.png", Accepted|Refused422, pngWith(pngChunk("PLTE", make([]byte, 1000))))
	g.add("transparency-odd.png", Accepted|Refused422, pngWith(pngChunk("tRNS", make([]byte, 1000))))
	g.add("moving.png", Accepted|Refused422, pngWith(pngChunk("acTL", []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})))
	for name, length := range map[string]uint32{"length-huge": 1<<31 - 1, "length-negative": 1<<32 - 1, "length-beyond": 100_000} {
		for _, kind := range []string{"tEXt", "IDAT", "eXIf", "iCCP", "PLTE"} {
			body := pngChunk(kind, make([]byte, 30))
			binary.BigEndian.PutUint32(body, length)
			g.add(name+"-"+kind+".png", Refused422, pngWith(body))
		}
	}
	wrong := plainPNG()
	wrong[29] ^= 0xff
	g.add("checksum.png", Refused422, wrong)
	g.add("end-only.png", Refused422, slices.Concat([]byte(pngMagic), end))
	order(g)
}
