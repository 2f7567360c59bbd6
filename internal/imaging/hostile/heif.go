package hostile

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// box is one of an ISO media file.
func box(kind string, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)+8))
	return append(append(b, kind...), body...)
}

// versioned is a box that begins with a version and no flags.
func versioned(kind string, version byte, parts ...[]byte) []byte {
	return box(kind, append([][]byte{{version, 0, 0, 0}}, parts...)...)
}

func u16(v ...int) (b []byte) {
	for _, n := range v {
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	}
	return b
}

func u32(v ...int) (b []byte) {
	for _, n := range v {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	return b
}

// item is one of a HEIF file. The first is the picture that is shown.
type item struct {
	kind       string // "av01", "hvc1", "grid", "Exif"
	data       []byte
	properties [][]byte // boxes
	reference  string   // to other items: "dimg", "cdsc"
	to         []int
}

// codec is what the two formats differ in.
type codec struct {
	brand, kind, config, fixture string
	coded                        int // height of the picture in the fixture; in still.heic a grid cuts it to what is shown
}

func avif() codec { return codec{"avif", "av01", "av1C", "still.avif", high} }
func heic() codec { return codec{"heic", "hvc1", "hvcC", "still.heic", 64} }

func (c codec) extension() string { return c.brand }

// parts returns the decoder's configuration, as a box, and the pixels.
func (c codec) parts() (config, pixels []byte) {
	file := fixture(c.fixture)
	find := func(kind string) []byte {
		at := bytes.Index(file, []byte(kind)) - 4
		return file[at : at+int(binary.BigEndian.Uint32(file[at:]))]
	}
	return find(c.config), find("mdat")[8:]
}

// picture is an item that shows what all others do, and says a size of itself, which is true with wide and high.
func (c codec) picture(width, height int, more ...[]byte) item {
	config, pixels := c.parts()
	if width == wide && height == high {
		height = c.coded
	}
	return item{kind: c.kind, data: pixels, properties: append([][]byte{config, versioned("ispe", 0, u32(width, height))}, more...)}
}

// file puts items together; they are numbered from 1.
func (c codec) file(items ...item) []byte {
	head := box("ftyp", []byte(c.brand), u32(0), []byte(c.brand), []byte("mif1"))
	offset := 0
	for range 2 { // the second time it is known where the data begins
		meta := c.meta(items, offset)
		offset = len(head) + len(meta) + 8
	}
	var data []byte
	for _, i := range items {
		data = append(data, i.data...)
	}
	return slices.Concat(head, c.meta(items, offset), box("mdat", data))
}

func (c codec) meta(items []item, offset int) []byte {
	var locations, infos, properties, associations, references []byte
	index := 0
	for n, i := range items {
		locations = slices.Concat(locations, u16(n+1, 0, 1), u32(offset, len(i.data)))
		offset += len(i.data)
		infos = append(infos, versioned("infe", 2, u16(n+1, 0), []byte(i.kind), []byte{0})...)
		associations = append(append(associations, u16(n+1)...), byte(len(i.properties)))
		for _, p := range i.properties {
			index++
			associations = append(associations, byte(index))
			properties = append(properties, p...)
		}
		if i.reference != "" {
			references = append(references, box(i.reference, u16(n+1, len(i.to)), u16(i.to...))...)
		}
	}
	return versioned("meta", 0,
		versioned("hdlr", 0, u32(0), []byte("pict"), make([]byte, 13)),
		versioned("pitm", 0, u16(1)),
		versioned("iloc", 0, []byte{0x44, 0}, u16(len(items)), locations),
		versioned("iinf", 0, u16(len(items)), infos),
		versioned("iref", 0, references),
		box("iprp", box("ipco", properties), versioned("ipma", 0, u32(len(items)), associations)),
	)
}

// grid is a picture of many tiles, all of them the item with number 2.
func grid(rows, columns, width, height int) item {
	return item{
		kind: "grid", data: slices.Concat([]byte{0, 1, byte(rows - 1), byte(columns - 1)}, u32(width, height)),
		properties: [][]byte{versioned("ispe", 0, u32(width, height))},
		reference:  "dimg", to: slices.Repeat([]int{2}, rows*columns),
	}
}

func heifs(g *group) {
	for _, c := range []codec{avif(), heic()} {
		add := func(name string, want Want, data []byte) { g.add(name+"."+c.extension(), want|optional, data) }
		const either = Accepted | Refused422
		file := c.file(c.picture(wide, high))

		add("built", Accepted, file)
		add("side", either, c.file(c.picture(1<<31-1, 1<<31-1)))
		add("side-negative", either, c.file(c.picture(1<<32-1, 1<<32-1)))
		add("large", either, c.file(c.picture(60_000, 60_000)))
		add("size-none", either, c.file(c.picture(0, 0)))
		tile := c.picture(wide, high)
		add("grid", either, c.file(grid(2, 2, 2*wide, 2*high), tile))
		add("grid-large", either, c.file(grid(255, 256, 256*wide, 255*high), tile))
		add("grid-huge", Refused422, c.file(grid(255, 256, 1<<31-1, 1<<31-1), tile))
		add("grid-within", either, c.file(grid(100, 100, 100*wide, 100*high), tile))
		self := grid(1, 1, wide, high)
		self.to = []int{1}
		add("grid-loop", Refused422, c.file(self))
		first, second := grid(1, 1, wide, high), grid(1, 1, wide, high)
		second.to = []int{1}
		add("grid-circle", Refused422, c.file(first, second))
		nested := []item{}
		for n := range 50 {
			i := grid(4, 4, 4*wide, 4*high)
			i.to = slices.Repeat([]int{n + 2}, 16)
			nested = append(nested, i)
		}
		add("grid-nested", Refused422, c.file(append(nested, tile)...))
		derived := item{kind: "iden", reference: "dimg", to: []int{1}, properties: [][]byte{versioned("ispe", 0, u32(wide, high))}}
		add("derived-loop", Refused422, c.file(derived))
		overlay := item{kind: "iovl", data: make([]byte, 22), reference: "dimg", to: []int{1, 1}}
		add("overlay-loop", Refused422, c.file(overlay))
		add("items", either, c.file(slices.Repeat([]item{c.picture(wide, high)}, 120)...))
		add("rotations", either, c.file(c.picture(wide, high, slices.Repeat([][]byte{box("irot", []byte{1})}, 100)...)))
		add("crop", either, c.file(c.picture(wide, high, box("clap", u32(1<<31, 0, 1<<31, 0, 1, 0, 1, 0)))))
		config, _ := c.parts()
		add("config-none", Refused422, c.file(item{kind: c.kind, properties: [][]byte{versioned("ispe", 0, u32(wide, high))}}))
		// An AV1 stream holds all that its decoder has to know.
		add("config-cut", map[string]Want{"avif": either, "heic": Refused422}[c.brand], bytes.Replace(file, config[8:], make([]byte, len(config)-8), 1))
		for name, value := range map[string]int{"none": 0, "one": 1, "huge": 1<<32 - 1} {
			for _, kind := range []string{"ftyp", "meta", "iloc", "iinf", "iprp", "ipco", "ispe", "ipma", "mdat"} {
				changed := slices.Clone(file)
				copy(changed[bytes.Index(changed, []byte(kind))-4:], u32(value))
				add("length-"+name+"-"+kind, either, changed)
			}
		}
		deep := []byte{}
		for range 10_000 {
			deep = box("meta", []byte{0, 0, 0, 0}, deep)
			if len(deep) > 100_000 {
				break
			}
		}
		add("boxes-nested", Refused422, slices.Concat(file[:24], deep))
		add("boxes", either, slices.Concat(file[:24], bytes.Repeat(box("free"), 20_000), file[24:]))
	}
	order(g)
}
