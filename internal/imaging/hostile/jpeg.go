package hostile

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// segment is a marker with a length and a body.
func segment(marker byte, body []byte) []byte {
	b := binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(body)+2))
	return append(b, body...)
}

// jpegWith puts something between a JPEG's first marker and the rest.
func jpegWith(parts ...[]byte) []byte {
	plain := plainJPEG()
	return slices.Concat(plain[:2], slices.Concat(parts...), plain[2:])
}

// sized makes a JPEG say another size of itself.
func sized(file []byte, width, height int) []byte {
	file = slices.Clone(file)
	at := frameHeader(file)
	binary.BigEndian.PutUint16(file[at+5:], uint16(height))
	binary.BigEndian.PutUint16(file[at+7:], uint16(width))
	return file
}

// frameHeader finds SOF0 or SOF2.
func frameHeader(file []byte) int {
	return max(bytes.Index(file, []byte{0xff, 0xc0, 0, 17}), bytes.Index(file, []byte{0xff, 0xc2, 0, 17}))
}

// scans splits a progressive JPEG into what comes before its last scan, and that scan with its tables.
func scans(file []byte) (before, last []byte) {
	at := bytes.LastIndex(file, []byte{0xff, 0xda})
	return file[:at], file[at : len(file)-2]
}

func jpegs(g *group) {
	plain, progressive := plainJPEG(), fixture("progressive.jpg")
	at := frameHeader(plain)
	changed := func(offset int, value ...byte) []byte {
		file := slices.Clone(plain)
		copy(file[offset:], value)
		return file
	}
	end := []byte{0xff, 0xd9}

	g.add("side.jpg", Refused422, sized(plain, 65500, 65500))
	g.add("side-progressive.jpg", Refused422, sized(progressive, 65500, 65500))
	g.add("large.jpg", Refused422, sized(plain, 9900, 9900))
	g.add("large-progressive.jpg", Refused422, sized(progressive, 9900, 9900))
	g.add("line.jpg", Refused422, sized(plain, 65500, 1))
	g.add("column.jpg", Refused422, sized(plain, 1, 65500))
	g.add("no-width.jpg", Refused422, sized(plain, 0, high))
	g.add("no-height.jpg", Refused422, sized(plain, wide, 0))
	g.add("dnl.jpg", Refused422, slices.Concat(sized(plain, wide, 0)[:len(plain)-2], segment(0xdc, []byte{0, high}), end))
	g.add("dnl-huge.jpg", Refused422, slices.Concat(sized(plain, wide, 0)[:len(plain)-2], segment(0xdc, []byte{255, 255}), end))

	before, last := scans(progressive)
	for _, n := range []int{100, 10_000} {
		n = min(n, 250_000/len(last))
		g.add(map[bool]string{true: "scans.jpg", false: "scans-many.jpg"}[n == 100], Accepted|Refused422,
			slices.Concat(before, bytes.Repeat(last, n), end))
	}
	// Scans of next to no bytes, each of which goes over all blocks of a large picture.
	before, last = scans(sized(progressive, 9000, 9000))
	short := slices.Concat(last[:2+int(binary.BigEndian.Uint16(last[2:]))], []byte{0})
	g.add("scans-empty.jpg", Refused422, slices.Concat(before, bytes.Repeat(short, 10_000), end))

	g.add("restarts.jpg", Accepted|Refused422, slices.Concat(plain[:len(plain)-2], bytes.Repeat([]byte{0xff, 0xd0}, 100_000), end))
	g.add("restart-interval.jpg", Accepted|Refused422, jpegWith(segment(0xdd, []byte{0, 1})))
	g.add("comments.jpg", Accepted, jpegWith(bytes.Repeat(segment(0xfe, nil), 50_000)))
	g.add("comment-unending.jpg", Refused422, slices.Concat(plain[:2], []byte{0xff, 0xfe, 0xff, 0xff}, make([]byte, 1000)))
	g.add("comment-short.jpg", Accepted|Refused422, jpegWith([]byte{0xff, 0xfe, 0, 0}))
	g.add("padding.jpg", Accepted|Refused422, jpegWith(bytes.Repeat([]byte{0xff}, 200_000)))
	g.add("garbage-between.jpg", Accepted|Refused422, jpegWith(bytesOf(random("between"), 10_000)))
	g.add("starts.jpg", Refused422, bytes.Repeat([]byte{0xff, 0xd8}, 50_000))
	g.add("two-frames.jpg", Accepted|Refused422, jpegWith(segment(0xc0, plain[at+4:at+19]), segment(0xc0, sized(plain, 60_000, 60_000)[at+4:at+19])))

	for name, marker := range map[string]byte{"lossless": 0xc3, "hierarchical": 0xc5, "arithmetic": 0xc9, "reserved": 0xc8} {
		g.add(name+".jpg", Accepted|Refused422, changed(at+1, marker))
	}
	g.add("precision.jpg", Refused422, changed(at+4, 16))
	g.add("components.jpg", Refused422, changed(at+9, 255))
	g.add("sampling.jpg", Accepted|Refused422, changed(at+11, 0xff))
	g.add("sampling-none.jpg", Refused422, changed(at+11, 0))
	g.add("table-none.jpg", Refused422, changed(at+12, 3))
	codes := bytes.Index(plain, []byte{0xff, 0xc4})
	g.add("codes-overfull.jpg", Refused422, changed(codes+5, bytes.Repeat([]byte{255}, 16)...))
	g.add("codes-none.jpg", Refused422, changed(codes+5, make([]byte, 16)...))
	order(g)
}
