package metadata_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/kadr-app/kadr/internal/imaging/metadata"
)

// tiffWriter puts a TIFF together, front to back.
type tiffWriter struct {
	order binary.ByteOrder
	big   bool
	b     []byte
	next  int // where the offset of the next directory has to be put
}

// tag is an entry; its values are numbers, or bytes.
type tag struct {
	tag, kind int
	values    []int
	bytes     []byte
}

func newTIFF(order binary.ByteOrder, big bool) *tiffWriter {
	w := &tiffWriter{order: order, big: big}
	mark := "II"
	if order == binary.BigEndian {
		mark = "MM"
	}
	w.b = []byte(mark)
	if big {
		w.b = w.put(w.b, 2, 43, 8, 0)
	} else {
		w.b = w.put(w.b, 2, 42)
	}
	w.next = len(w.b)
	w.b = w.put(w.b, w.offset(), 0)
	return w
}

func (w *tiffWriter) offset() int {
	if w.big {
		return 8
	}
	return 4
}

func (w *tiffWriter) put(b []byte, size int, values ...int) []byte {
	for _, v := range values {
		at := len(b)
		b = append(b, make([]byte, size)...)
		switch size {
		case 1:
			b[at] = byte(v)
		case 2:
			w.order.PutUint16(b[at:], uint16(v))
		case 4:
			w.order.PutUint32(b[at:], uint32(v))
		case 8:
			w.order.PutUint64(b[at:], uint64(v))
		}
	}
	return b
}

func (w *tiffWriter) add(data []byte) int {
	at := len(w.b)
	w.b = append(w.b, data...)
	return at
}

// directory adds one and returns where it is.
func (w *tiffWriter) directory(tags ...tag) int {
	slices.SortStableFunc(tags, func(a, b tag) int { return a.tag - b.tag })
	type placed struct {
		count int
		data  []byte
	}
	var all []placed
	for _, x := range tags {
		p := placed{len(x.bytes), x.bytes}
		if x.kind == 5 {
			p.count /= 8
		}
		if x.values != nil {
			p = placed{len(x.values), w.put(nil, map[int]int{1: 1, 3: 2, 4: 4, 13: 4, 16: 8}[x.kind], x.values...)}
		}
		if len(p.data) > w.offset() {
			p.data = w.put(nil, w.offset(), w.add(p.data))
		}
		all = append(all, p)
	}
	at := len(w.b)
	w.b = w.put(w.b, map[bool]int{false: 2, true: 8}[w.big], len(tags))
	for i, x := range tags {
		w.b = w.put(w.put(w.b, 2, x.tag, x.kind), w.offset(), all[i].count)
		w.b = append(append(w.b, all[i].data...), make([]byte, w.offset()-len(all[i].data))...)
	}
	w.b = w.put(w.b, w.offset(), 0)
	return at
}

// page adds a directory to the chain.
func (w *tiffWriter) page(tags ...tag) int {
	at := w.directory(tags...)
	w.put(w.b[:w.next], w.offset(), at)
	w.next = len(w.b) - w.offset()
	return at
}

// grey adds the pixels of a grey picture in strips of 16 rows, and returns the tags for it.
func (w *tiffWriter) grey(width, height int, more ...tag) []tag {
	var offsets, lengths []int
	for y := 0; y < height; y += 16 {
		row := make([]byte, width*min(16, height-y))
		for i := range row {
			row[i] = byte(i*5 + y + 1)
		}
		offsets, lengths = append(offsets, w.add(row)), append(lengths, len(row))
		w.add([]byte{0}) // so that they are apart
	}
	tags := []tag{
		{256, 3, []int{width}, nil},
		{257, 4, []int{height}, nil},
		{258, 3, []int{8}, nil},
		{259, 3, []int{1}, nil},
		{262, 3, []int{1}, nil},
		{273, 4, offsets, nil},
		{277, 3, []int{1}, nil},
		{278, 3, []int{16}, nil},
		{279, 4, lengths, nil},
	}
	return append(slices.DeleteFunc(tags, func(x tag) bool {
		return slices.ContainsFunc(more, func(y tag) bool { return x.tag == y.tag })
	}), more...)
}

func (w *tiffWriter) text(number int) tag {
	return tag{number, 2, nil, []byte("text " + secret + "\x00")}
}

func greyTIFF() []byte {
	w := newTIFF(binary.LittleEndian, false)
	w.page(w.grey(40, 40)...)
	return w.b
}

func dirtyTIFF(order binary.ByteOrder, big bool) []byte {
	w := newTIFF(order, big)
	thumbnail := w.directory(w.grey(8, 8, tag{254, 4, []int{1}, nil}, w.text(270))...)
	gps := w.directory(w.text(27), tag{1, 2, nil, []byte("N\x00")})
	maker := w.add([]byte("maker note " + secret))
	camera := w.directory(w.text(0x9003), w.text(0xa431), tag{0x927c, 7, nil, []byte("maker " + secret)}, tag{0xc634, 4, []int{maker}, nil})
	w.add([]byte("gap " + secret))
	w.page(w.grey(600, 20, tag{274, 3, []int{6}, nil}, tag{282, 5, nil, w.put(nil, 4, 300, 1)}, tag{34675, 7, nil, []byte("the profile")},
		w.text(270), w.text(271), w.text(272), w.text(305), w.text(306), w.text(315), w.text(316), w.text(33432),
		tag{330, 4, []int{thumbnail, thumbnail}, nil}, tag{34665, 13, []int{camera}, nil}, tag{34853, 4, []int{gps}, nil},
		tag{700, 1, nil, []byte("xmp " + secret)}, tag{33723, 7, nil, []byte("iptc " + secret)}, tag{34377, 1, nil, []byte("8BIM " + secret)},
		tag{37724, 7, nil, []byte("layers " + secret)}, tag{65000, 1, nil, []byte("SN12")}, // in place
		tag{320, 2, nil, []byte("a colour map that is none: " + secret)}, tag{274, 3, []int{3}, nil},
	)...)
	w.page(w.grey(160, 12, tag{259, 3, []int{6}, nil}, w.text(270))...)                   // a camera's thumbnail
	w.page(w.grey(700, 30, tag{254, 4, []int{1}, nil}, w.text(270))...)                   // of reduced resolution
	w.page(w.grey(599, 22, w.text(285), tag{254, 4, []int{2}, nil})...)                   // a page
	w.page(tag{256, 3, []int{900}, nil}, tag{257, 3, []int{900}, nil}, w.text(270))       // of nothing
	w.page(w.grey(120, 9, w.text(270))...)                                                // a thumbnail that does not say so
	w.page(w.grey(601, 17, tag{297, 3, []int{2, 3}, nil}, tag{274, 3, []int{1}, nil})...) // the last page
	w.add([]byte("trailing " + secret))
	return w.b
}

func everyTIFF(try func(name string, order binary.ByteOrder, big bool)) {
	for _, big := range []bool{false, true} {
		try(map[bool]string{false: "II", true: "II big"}[big], binary.LittleEndian, big)
		try(map[bool]string{false: "MM", true: "MM big"}[big], binary.BigEndian, big)
	}
}

func TestTIFFKeepsWhatDecodersNeed(t *testing.T) {
	t.Parallel()
	everyTIFF(func(name string, order binary.ByteOrder, big bool) {
		dirty := dirtyTIFF(order, big)
		clean, report := strip(t, dirty, "tiff")
		if !report.Private || report.Orientation != 6 || report.Frames != 1 || int64(len(clean)) != report.StrippedSize {
			t.Errorf("%s: %+v, %d bytes", name, report, len(clean))
		}
		if len(clean) >= len(dirty) || bytes.Contains(clean, []byte(secret)) || bytes.Contains(clean, []byte("SN12")) {
			t.Errorf("%s: something private is left", name)
		}
		// All bytes are where they were, or zero; but for directories, which are shorter.
		same := 0
		for i, c := range clean {
			if c == dirty[i] {
				same++
			}
		}
		if !bytes.Contains(clean, []byte("the profile")) || same < 600*20+599*22+601*17 {
			t.Errorf("%s: %d bytes are what they were", name, same)
		}
		pages := chain(t, clean, order, big)
		want := [][]int{
			{256, 257, 258, 259, 262, 273, 274, 277, 278, 279, 282, 34675},
			{254, 256, 257, 258, 259, 262, 273, 277, 278, 279},
			{256, 257, 258, 259, 262, 273, 274, 277, 278, 279},
		}
		if !slices.EqualFunc(pages, want, slices.Equal) {
			t.Errorf("%s: tags are left: %v", name, pages)
		}
		again, report := strip(t, clean, "tiff")
		if report.Private || !bytes.Equal(again, clean) {
			t.Errorf("%s: stripped twice: %+v", name, report)
		}
		if got := metadata.Orientation(bytes.NewReader(dirty), int64(len(dirty)), "tiff"); got != 6 {
			t.Errorf("%s: Orientation = %d", name, got)
		}
	})
}

// chain returns the tags of all pages.
func chain(t *testing.T, file []byte, order binary.ByteOrder, big bool) (pages [][]int) {
	t.Helper()
	offset := func(at int) int {
		if big {
			return int(order.Uint64(file[at:]))
		}
		return int(order.Uint32(file[at:]))
	}
	next, entry, countSize := 4, 12, 2
	if big {
		next, entry, countSize = 8, 20, 8
	}
	for at := offset(next); at != 0 && len(pages) < 10; at = offset(next) {
		count := int(order.Uint16(file[at:]))
		if big {
			count = offset(at)
		}
		var tags []int
		for i := range count {
			tags = append(tags, int(order.Uint16(file[at+countSize+i*entry:])))
		}
		pages = append(pages, tags)
		next = at + countSize + count*entry
	}
	return pages
}

func TestCleanTIFFIsLeftAlone(t *testing.T) {
	t.Parallel()
	everyTIFF(func(name string, order binary.ByteOrder, big bool) {
		w := newTIFF(order, big)
		w.page(w.grey(40, 40)...)
		w.page(w.grey(40, 40)...)
		clean, report := strip(t, w.b, "tiff")
		if report.Private || !bytes.Equal(clean, w.b) {
			t.Errorf("%s: %+v", name, report)
		}
	})
}

// TestStripOfNothing is about strips that were never drawn, whose offset may be anything.
func TestStripOfNothing(t *testing.T) {
	t.Parallel()
	w := newTIFF(binary.BigEndian, false)
	w.page(w.grey(16, 32, tag{273, 4, []int{8, 1 << 31}, nil}, tag{279, 4, []int{256, 0}, nil})...)
	if clean, report := strip(t, w.b, "tiff"); !report.Private || int64(len(clean)) != report.StrippedSize {
		t.Errorf("%+v", report)
	}
}

// TestWrappedJPEG is about pictures whose strips are JPEGs.
func TestWrappedJPEG(t *testing.T) {
	t.Parallel()
	everyTIFF(func(name string, order binary.ByteOrder, big bool) {
		w := newTIFF(order, big)
		strip1 := jpegFile(t, segment(0xe0, "JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x00\x00"), []byte{0xff}, segment(0xee, "Adobe\x00\x64\x00\x00\x00\x00\x01"))
		at := w.add(strip1)
		w.page(w.grey(24, 16, tag{259, 3, []int{7}, nil}, tag{273, 4, []int{at}, nil}, tag{279, 4, []int{len(strip1)}, nil},
			tag{347, 7, nil, []byte("\xff\xd8\xff\xdb\x00\x05\x00\x01\x02\xff\xd9")}, w.text(270))...)
		clean, report := strip(t, w.b, "tiff")
		if !report.Private || !bytes.Contains(clean, strip1) || bytes.Contains(clean, []byte(secret)) {
			t.Errorf("%s: %+v", name, report)
		}
	})
}

func TestTIFFThatLies(t *testing.T) {
	t.Parallel()
	everyTIFF(func(name string, order binary.ByteOrder, big bool) {
		file := func(build func(w *tiffWriter)) []byte {
			w := newTIFF(order, big)
			build(w)
			return w.b
		}
		page := func(tags ...tag) func(w *tiffWriter) {
			return func(w *tiffWriter) {
				w.page(w.grey(16, 20, tags...)...)
			}
		}
		for want, b := range map[string][]byte{
			"The file does not begin as a TIFF.":                                   []byte("II"),
			"The TIFF has no pages.":                                               newTIFF(order, big).b,
			"The TIFF ends before the directory of page 1, which is at byte 4000.": file(func(w *tiffWriter) { w.put(w.b[:w.next], w.offset(), 4000) }),
			"has an impossible length.":                                            file(func(w *tiffWriter) { w.page() }),
			"The TIFF ends within the directory at byte":                           file(func(w *tiffWriter) { page()(w); w.b = w.b[:len(w.b)-1] }),
			"The TIFF ends within strip 2 of 2 of page 1.":                         file(page(tag{273, 4, []int{16, 5000}, nil})),
			"The TIFF ends within strip 1 of 2 of page 1.":                         file(page(tag{279, 4, []int{1<<32 - 1, 20}, nil})),
			"does not say how long its strips are.":                                file(page(tag{279, 4, []int{1}, nil})),
			"The TIFF does not say how large its picture is.":                      file(page(tag{256, 3, []int{0}, nil})),
			"The TIFF does not say where its picture is.":                          file(page(tag{273, 2, nil, []byte("here")})),
			"The TIFF is compressed as JPEG in the old way":                        file(page(tag{259, 3, []int{6}, nil})),
			"The TIFF begins with a reduced picture":                               file(page(tag{254, 4, []int{1}, nil})),
			"The TIFF ends within the values of tag 34675": file(func(w *tiffWriter) {
				page(tag{34675, 7, nil, make([]byte, 300)})(w)
				w.b = bytes.Replace(w.b, w.put(nil, w.offset(), 300), w.put(nil, w.offset(), 9_000), 1)
			}),
			"The TIFF's pages go round in a circle, through byte": file(func(w *tiffWriter) {
				page()(w)
				at := w.page(w.grey(16, 20)...)
				w.put(w.b[:w.next], w.offset(), at)
			}),
			"The TIFF has more than 1024 pages.": file(func(w *tiffWriter) {
				for range 1100 {
					page()(w)
				}
			}),
			"The TIFF has more than 262144 strips and tiles.": file(page(tag{273, 4, make([]int, 200_000), nil}, tag{279, 4, make([]int, 200_000), nil},
				tag{324, 4, make([]int, 200_000), nil}, tag{325, 4, make([]int, 200_000), nil})),
			"A strip of page 1 of the TIFF, at byte 16, is a JPEG with metadata of its own, which cannot be taken out.": file(func(w *tiffWriter) {
				w.add(make([]byte, 16-len(w.b)))
				w.add(jpegFile(t, segment(0xe1, "Exif")))
				w.page(w.grey(16, 16, tag{259, 3, []int{7}, nil}, tag{273, 4, []int{16}, nil}, tag{279, 4, []int{300}, nil})...)
			}),
			"A table of page 1 of the TIFF, at byte": file(page(tag{347, 7, nil, []byte("\xff\xd8\xff\xfe\x00\x08secret\xff\xd9")})),
			"lies over something else.":              file(page(tag{273, 4, []int{16, 16}, nil}, tag{279, 4, []int{10, 400}, nil})),
			"lies over another.": file(func(w *tiffWriter) {
				kind, count := 3, 2
				if big {
					kind, count = 16, 8
				}
				at := w.page(w.grey(16, 20, tag{277, kind, []int{1}, nil})...)
				// The value of the seventh entry, when it is taken for the number of entries.
				w.put(w.b[:w.next], w.offset(), at+count+6*(4+2*w.offset())+4+w.offset())
			}),
		} {
			if !refused(t, b, "tiff", want) {
				t.Errorf("of %s", name)
			}
		}
	})
}
