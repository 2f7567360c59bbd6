package hostile

import (
	"encoding/binary"
	"slices"
)

// chunk is a part of a RIFF file.
type chunk struct {
	kind string
	body []byte
}

func (c chunk) bytes() []byte {
	b := binary.LittleEndian.AppendUint32([]byte(c.kind), uint32(len(c.body)))
	b = append(b, c.body...)
	if len(c.body)%2 == 1 {
		b = append(b, 0)
	}
	return b
}

func riff(chunks ...chunk) []byte {
	body := []byte("WEBP")
	for _, c := range chunks {
		body = append(body, c.bytes()...)
	}
	return chunk{"RIFF", body}.bytes()
}

// still is the lossy picture's pixels.
func still() chunk {
	file := fixture("still.webp")
	for at := 12; at+8 <= len(file); {
		n := int(binary.LittleEndian.Uint32(file[at+4:]))
		if string(file[at:at+4]) == "VP8 " {
			return chunk{"VP8 ", file[at+8 : at+8+n]}
		}
		at += 8 + n + n%2
	}
	panic("hostile: the picture in testdata is not lossy")
}

// The flags of an extended header.
const (
	hasMotion  = 0x02
	hasEXIF    = 0x08
	hasProfile = 0x20
)

func extended(flags byte, width, height int) chunk {
	b := []byte{flags, 0, 0, 0}
	return chunk{"VP8X", append(append(b, uint24(width-1)...), uint24(height-1)...)}
}

func uint24(n int) []byte { return []byte{byte(n), byte(n >> 8), byte(n >> 16)} }

// solid is a lossless picture of one colour: every code has one symbol, so that a pixel takes no bits at all.
func solid(width, height int) []byte {
	var bits uint64
	at := 0
	put := func(value uint64, n int) {
		bits |= value << at
		at += n
	}
	out := []byte{0x2f}
	out = binary.LittleEndian.AppendUint32(out, uint32(width-1)|uint32(height-1)<<14)
	put(0, 3) // no transform, no colour cache, no second level of codes
	for _, symbol := range []uint64{120, 30, 200, 255, 0} {
		put(1, 1) // a simple code
		put(0, 1) // of one symbol
		put(1, 1) // of eight bits
		put(symbol, 8)
	}
	return binary.LittleEndian.AppendUint64(out, bits)
}

func frame(width, height int, pixels chunk) chunk {
	b := append(make([]byte, 6), uint24(width-1)...)
	b = append(b, uint24(height-1)...)
	b = append(b, 40, 0, 0, 0)
	return chunk{"ANMF", append(b, pixels.bytes()...)}
}

func movingWebP(width, height int, frames ...chunk) []byte {
	return riff(append([]chunk{extended(hasMotion, width, height), {"ANIM", make([]byte, 6)}}, frames...)...)
}

func webps(g *group) {
	lossless := func(width, height int) chunk { return chunk{"VP8L", solid(width, height)} }
	dot := frame(1, 1, lossless(1, 1))
	full := frame(3000, 3000, lossless(3000, 3000))

	g.add("side.webp", Refused422, riff(lossless(16383, 16383)))
	g.add("side-extended.webp", Refused422, riff(extended(0, 1<<24, 1<<24), lossless(16383, 16383)))
	g.add("side-differs.webp", Accepted|Refused422, riff(extended(0, 8, 8), lossless(16383, 16383)))
	g.add("within.webp", Accepted|Refused422, riff(lossless(10_000, 10_000)))
	g.add("line.webp", Accepted, riff(lossless(16383, 1)))
	g.add("column.webp", Accepted, riff(lossless(1, 16383)))
	large := still()
	large.body = slices.Clone(large.body)
	copy(large.body[6:], []byte{0xff, 0x3f, 0xff, 0x3f})
	g.add("side-lossy.webp", Refused422, riff(large))
	copy(large.body[6:], []byte{0x70, 0x17, 0x70, 0x17})
	g.add("within-lossy.webp", Refused422, riff(large))

	g.add("dots.webp", Refused422, movingWebP(9000, 9000, slices.Repeat([]chunk{dot}, 4000)...))
	g.add("dots-small.webp", Accepted, movingWebP(16, 16, slices.Repeat([]chunk{dot}, 4000)...))
	g.add("canvas.webp", Refused422, movingWebP(1<<24, 1<<24, dot))
	g.add("canvas-within.webp", Accepted|Refused422, movingWebP(9000, 9000, dot))
	g.add("full.webp", Refused422, movingWebP(3000, 3000, slices.Repeat([]chunk{full}, 1000)...))
	g.add("full-within.webp", Accepted, movingWebP(3000, 3000, slices.Repeat([]chunk{full}, 10)...))
	g.add("no-frames.webp", Refused422, movingWebP(16, 16))
	outside := frame(16, 16, lossless(16, 16))
	copy(outside.body, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	g.add("outside.webp", Refused422, movingWebP(16, 16, outside))
	// libwebp, and with it every browser, finds the picture.
	g.add("frames-nested.webp", Accepted|Refused422, movingWebP(16, 16, frame(16, 16, frame(16, 16, frame(16, 16, lossless(16, 16))))))
	g.add("frame-empty.webp", Refused422, movingWebP(16, 16, frame(16, 16, chunk{"VP8L", nil})))

	plain := riff(still())
	for name, length := range map[string]uint32{"length-none": 0, "length-huge": 1<<32 - 1, "length-beyond": 100_000} {
		file := slices.Clone(plain)
		binary.LittleEndian.PutUint32(file[4:], length)
		g.add(name+".webp", Accepted|Refused422, file)
		file = slices.Clone(plain)
		binary.LittleEndian.PutUint32(file[16:], length)
		g.add(name+"-pixels.webp", Refused422, file)
	}
	g.add("unknown-chunks.webp", Accepted|Refused422,
		riff(append(append([]chunk{extended(0, wide, high)}, slices.Repeat([]chunk{{"junk", nil}}, 20_000)...), still())...))
	g.add("headers.webp", Refused422, riff(slices.Repeat([]chunk{extended(0, wide, high)}, 5000)...))
	for i := range 20 {
		noise := append(solid(300, 300)[:5], bytesOf(random("vp8l"+string(rune('a'+i))), 400)...)
		g.add("codes-random-"+string(rune('a'+i))+".webp", Accepted|Refused422, riff(chunk{"VP8L", noise}))
	}
	order(g)
}
