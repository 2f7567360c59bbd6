package hostile

import (
	"bytes"
	"compress/lzw"
	"encoding/binary"
	"slices"
)

func gifFile(width, height uint16, frames ...[]byte) []byte {
	b := binary.LittleEndian.AppendUint16([]byte("GIF89a"), width)
	b = binary.LittleEndian.AppendUint16(b, height)
	b = append(b, 0x80, 0, 0, 0, 0, 0, 255, 255, 255) // two colours
	return append(append(b, slices.Concat(frames...)...), 0x3b)
}

// gifFrame is one picture of which pixels are given; where there are fewer than it has room for, it is broken.
func gifFrame(x, y, width, height uint16, pixels int) []byte {
	b := []byte{0x2c}
	for _, v := range []uint16{x, y, width, height} {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	var data bytes.Buffer
	w := lzw.NewWriter(&data, lzw.LSB, 2)
	_, _ = w.Write(make([]byte, pixels))
	_ = w.Close()
	b = append(b, 0, 2)
	for part := range slices.Chunk(data.Bytes(), 255) {
		b = append(append(b, byte(len(part))), part...)
	}
	return append(b, 0)
}

func gifs(g *group) {
	dot := gifFrame(0, 0, 1, 1, 1)
	full := gifFrame(0, 0, 2000, 2000, 2000*2000)
	control := []byte{0x21, 0xf9, 4, 0x0c, 0, 0, 0, 0}

	g.add("side.gif", Accepted|Refused422, gifFile(65535, 65535, dot))
	g.add("side-frame.gif", Refused422, gifFile(1, 1, gifFrame(0, 0, 65535, 65535, 1)))
	g.add("side-both.gif", Refused422, gifFile(65535, 65535, gifFrame(0, 0, 65535, 65535, 1)))
	g.add("outside.gif", Accepted|Refused422, gifFile(8, 8, gifFrame(60_000, 60_000, 8, 8, 64)))
	g.add("dots.gif", Refused422, gifFile(1, 1, bytes.Repeat(dot, 14_000)))
	g.add("dots-within.gif", Accepted, gifFile(1, 1, bytes.Repeat(dot, 9_900)))
	g.add("dots-large.gif", Refused422, gifFile(5000, 5000, gifFrame(0, 0, 5000, 5000, 5000*5000), bytes.Repeat(dot, 5000)))
	g.add("full.gif", Refused422, gifFile(2000, 2000, bytes.Repeat(full, 40)))
	g.add("full-within.gif", Accepted, gifFile(2000, 2000, bytes.Repeat(full, 24)))
	g.add("full-disposed.gif", Accepted, gifFile(2000, 2000, bytes.Repeat(append(control, full...), 24)))
	// Every frame ends properly, and shows what it has.
	g.add("full-truncated.gif", Accepted|Refused422, gifFile(2000, 2000, bytes.Repeat(gifFrame(0, 0, 2000, 2000, 100), 20)))
	g.add("too-much-data.gif", Accepted|Refused422, gifFile(8, 8, gifFrame(0, 0, 8, 8, 20_000_000)))
	g.add("no-size.gif", Accepted|Refused422, gifFile(0, 0, gifFrame(0, 0, 0, 0, 0)))
	g.add("no-frames.gif", Refused422, gifFile(8, 8))
	g.add("comments.gif", Accepted|Refused422, gifFile(8, 8, bytes.Repeat([]byte{0x21, 0xfe, 0}, 60_000), gifFrame(0, 0, 8, 8, 64)))
	g.add("controls.gif", Accepted|Refused422, gifFile(8, 8, bytes.Repeat(control, 30_000), gifFrame(0, 0, 8, 8, 64)))
	g.add("loops.gif", Accepted|Refused422,
		gifFile(8, 8, bytes.Repeat([]byte("\x21\xff\x0bNETSCAPE2.0\x03\x01\xff\xff\x00"), 10_000), gifFrame(0, 0, 8, 8, 64)))
	g.add("unending.gif", Refused422, append(gifFile(8, 8)[:19], bytes.Repeat([]byte{0x21, 0xfe, 255}, 1000)...))
	for name, size := range map[string]byte{"codes-none": 0, "codes-wide": 12, "codes-absurd": 255} {
		frame := gifFrame(0, 0, 8, 8, 64)
		frame[10] = size
		g.add(name+".gif", Accepted|Refused422, gifFile(8, 8, frame))
	}
	for i := range 10 {
		frame := gifFrame(0, 0, 300, 300, 1)
		noise := bytesOf(random("lzw"+string(rune('a'+i))), 250)
		frame = slices.Concat(frame[:11], []byte{250}, noise, []byte{0})
		g.add("codes-random-"+string(rune('a'+i))+".gif", Accepted|Refused422, gifFile(300, 300, frame))
	}
	order(g)
}
