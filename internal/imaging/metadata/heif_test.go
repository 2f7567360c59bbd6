package metadata_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kadr-app/kadr/internal/imaging/metadata"
)

// The box that holds the decoder's configuration, by the kind of coded items.
func configKind(kind string) string { return map[string]string{"av01": "av1C", "hvc1": "hvcC"}[kind] }

func codedKind(format string) string {
	return map[string]string{"avif": "av01", "heic": "hvc1"}[format]
}

func still(t testing.TB, format string) []byte {
	t.Helper()
	b, err := os.ReadFile("../hostile/testdata/still." + format)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func isoBox(kind string, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+8)), kind...), body...)
}

func fullBox(kind string, version, flags byte, parts ...[]byte) []byte {
	return isoBox(kind, append([][]byte{{version, 0, 0, flags}}, parts...)...)
}

func be16(v ...int) (b []byte) {
	for _, n := range v {
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	}
	return b
}

func be32(v ...int) (b []byte) {
	for _, n := range v {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	return b
}

// isoItem is an item of a HEIF file. Its number is its place, from 1 on.
type isoItem struct {
	kind, name string
	data       []byte
	inline     bool // the data is in idat
	parts      int  // how many pieces the data is in
	hidden     byte
	properties [][]byte
	essential  bool
	references []isoReference
}

type isoReference struct {
	kind string
	to   []int
}

// isoFile is all that a HEIF file is made of.
type isoFile struct {
	brand       string
	brands      []string
	handlerName string
	primary     int
	items       []isoItem
	inMeta      [][]byte // more boxes in meta
	before      [][]byte // boxes before meta
	after       [][]byte // boxes and more after the data
}

func (f isoFile) bytes() []byte {
	head := isoBox("ftyp", []byte(f.brand), be32(0), []byte(strings.Join(f.brands, "")))
	head = append(head, slices.Concat(f.before...)...)
	meta := f.meta(0)
	meta = f.meta(len(head) + len(meta) + 8)
	var data []byte
	for _, i := range f.items {
		if !i.inline {
			data = append(data, i.data...)
		}
	}
	return slices.Concat(append([][]byte{head, meta, isoBox("mdat", data)}, f.after...)...)
}

func (f isoFile) meta(offset int) []byte {
	var idat, locations, infos, properties, associations, references []byte
	number := 0
	for n, i := range f.items {
		id, method, at := n+1, 0, offset
		if i.inline {
			method, at = 1, len(idat)
			idat = append(idat, i.data...)
		} else {
			offset += len(i.data)
		}
		parts := max(1, i.parts)
		locations = append(locations, be16(id, method, 0, parts)...)
		for p := range parts {
			from, to := len(i.data)*p/parts, len(i.data)*(p+1)/parts
			locations = append(locations, be32(at+from, to-from)...)
		}
		infos = append(infos, fullBox("infe", 2, i.hidden, be16(id, 0), []byte(i.kind+i.name+"\x00"))...)
		associations = append(append(associations, be16(id)...), byte(len(i.properties)))
		for _, p := range i.properties {
			number++
			flag := byte(0)
			if i.essential {
				flag = 0x80
			}
			associations = append(associations, byte(number)|flag)
			properties = append(properties, p...)
		}
		for _, r := range i.references {
			references = append(references, isoBox(r.kind, be16(id, len(r.to)), be16(r.to...))...)
		}
	}
	parts := [][]byte{
		fullBox("hdlr", 0, 0, be32(0), []byte("pict"), make([]byte, 12), []byte(f.handlerName+"\x00")),
		fullBox("pitm", 0, 0, be16(f.primary)),
		fullBox("iloc", 1, 0, []byte{0x44, 0}, be16(len(f.items)), locations),
		fullBox("iinf", 0, 0, be16(len(f.items)), infos),
		fullBox("iref", 0, 0, references),
		isoBox("iprp", isoBox("ipco", properties), fullBox("ipma", 0, 0, be32(len(f.items)), associations)),
	}
	if idat != nil {
		parts = append(parts, isoBox("idat", idat))
	}
	return fullBox("meta", 0, 0, slices.Concat(append(parts, f.inMeta...)...))
}

func size(width, height int) []byte { return fullBox("ispe", 0, 0, be32(width, height)) }

// coded is an item whose picture is that of the fixture: 64 × 48, the HEIC's 64 × 64.
func coded(t testing.TB, format string, properties ...[]byte) isoItem {
	file := still(t, format)
	find := func(kind string) []byte {
		at := bytes.Index(file, []byte(kind)) - 4
		return file[at : at+int(binary.BigEndian.Uint32(file[at:]))]
	}
	kind := codedKind(format)
	height := 48
	data := find("mdat")[8:]
	if format == "heic" {
		height = 64
	}
	return isoItem{kind: kind, data: data, properties: append([][]byte{find(configKind(kind)), size(64, height)}, properties...)}
}

func isoStill(format string, items ...isoItem) isoFile {
	return isoFile{brand: format, brands: []string{format, "mif1"}, primary: 1, items: items}
}

// dirtyISO has one of everything: a grid of two tiles, its data in idat, with a profile, turned, with alpha; and all that
// has to go.
func dirtyISO(t testing.TB, format string) isoFile {
	thumbnail := coded(t, format)
	thumbnail.data, thumbnail.references = []byte("thumbnail "+secret), []isoReference{{"thmb", []int{1}}}
	tile := coded(t, format)
	tile.hidden, tile.parts, tile.essential = 1, 3, true
	second := coded(t, format)
	second.hidden = 1
	height := map[string]int{"avif": 48, "heic": 64}[format]
	auxiliary := func(urn string) isoItem {
		i := coded(t, format, fullBox("auxC", 0, 0, []byte(urn+"\x00")))
		i.references = []isoReference{{"auxl", []int{1}}}
		return i
	}
	layout := slices.Concat([]byte{0, 0, 0, 1}, be16(128, height))
	alpha := isoItem{
		kind: "grid", data: layout,
		properties: [][]byte{size(128, height), fullBox("auxC", 0, 0, []byte("urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\x00"))},
		references: []isoReference{{"auxl", []int{1}}, {"dimg", []int{2, 3}}},
	}
	depth := auxiliary("urn:mpeg:mpegB:cicp:systems:auxiliary:depth")
	depth.data = []byte("depth " + secret)
	gain := auxiliary("urn:com:apple:photo:2020:aux:hdrgainmap")
	gain.data = []byte("gain " + secret)
	f := isoStill(format,
		isoItem{
			kind: "grid", name: secret, data: layout, inline: true,
			properties: [][]byte{
				size(128, height), fullBox("pixi", 0, 0, []byte{3, 8, 8, 8}), isoBox("colr", []byte("nclx\x00\x01\x00\x0d\x00\x06\x80")),
				isoBox("irot", []byte{1}, []byte(secret)), fullBox("udes", 0, 0, []byte(secret)), isoBox("uuid", make([]byte, 16), []byte(secret)),
			},
			references: []isoReference{{"dimg", []int{2, 3}}},
		},
		tile, second, alpha, thumbnail,
		isoItem{kind: "Exif", data: append([]byte{0, 0, 0, 0}, exif(6)...), references: []isoReference{{"cdsc", []int{1}}}},
		isoItem{kind: "mime", name: "\x00application/rdf+xml", data: []byte("xmp " + secret), references: []isoReference{{"cdsc", []int{1}}}},
		isoItem{kind: "uri ", name: "\x00urn:" + secret, data: []byte(secret), inline: true},
		depth, gain,
		isoItem{kind: "tmap", data: []byte(secret), references: []isoReference{{"dimg", []int{1, 10}}}},
		coded(t, format), // another picture, which is not the primary one
	)
	f.handlerName = secret
	f.brands = append(f.brands, "SN12", "miaf")
	f.before = [][]byte{isoBox("free", []byte(secret)), isoBox("uuid", []byte(secret))}
	f.inMeta = [][]byte{isoBox("uuid", []byte(secret)), isoBox("grpl", fullBox("altr", 0, 0, be32(100, 2, 1, 11))), isoBox("free", []byte(secret))}
	f.after = [][]byte{isoBox("mpvd", []byte("film "+secret)), isoBox("mdat", []byte("orphan "+secret)), []byte("trailing " + secret)}
	return f
}

func dirtyHEIF(t testing.TB, format string) []byte { return dirtyISO(t, format).bytes() }

func TestHEIFKeepsThePictureAndItsAlpha(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"avif", "heic"} {
		dirty := dirtyISO(t, format)
		clean, report := strip(t, dirty.bytes(), format)
		if !report.Private || report.Orientation != 1 || report.Frames != 1 {
			t.Errorf("%s: %+v", format, report)
		}
		for what, gone := range map[string]string{
			"a secret": secret, "a thumbnail": "thmb", "a time or text": "udes", "EXIF": "Exif", "XMP": "mime", "a gain map": "gainmap",
			"a tone map": "tmap", "a depth map": "depth", "free": "free", "a brand": "SN12", "idat": "idat",
		} {
			if bytes.Contains(clean, []byte(gone)) {
				t.Errorf("%s: %s is left", format, what)
			}
		}
		// Two tiles are left, and all data is there once, and once only.
		if n := bytes.Count(clean, []byte(codedKind(format))); n != 2 {
			t.Errorf("%s: %d coded items are left", format, n)
		}
		data := slices.Concat(dirty.items[0].data, dirty.items[1].data, dirty.items[2].data, dirty.items[3].data)
		if !bytes.HasSuffix(clean, slices.Concat(be32(len(data)+8), []byte("mdat"), data)) {
			t.Errorf("%s: the data is not what it was", format)
		}
		for _, kept := range []string{"dimg", "auxl", "auxC", "pixi", "nclx", "irot", "ispe", configKind(codedKind(format))} {
			if !bytes.Contains(clean, []byte(kept)) {
				t.Errorf("%s: %s is gone", format, kept)
			}
		}
	}
}

func TestFilmBesideAPictureGoes(t *testing.T) {
	t.Parallel()
	f := isoStill("avif", coded(t, "avif"))
	f.brand, f.brands = "avis", []string{"avis", "msf1", "avif", "mif1"}
	f.after = [][]byte{isoBox("moov", []byte(secret)), isoBox("mdat", []byte("frame"))}
	clean, report := strip(t, f.bytes(), "avif")
	want := isoStill("avif", coded(t, "avif"))
	want.brands = []string{"avif", "mif1"}
	if !report.Private || !bytes.HasPrefix(clean, want.bytes()[:24]) || bytes.Contains(clean, []byte("moov")) || bytes.Contains(clean, []byte("frame")) {
		t.Errorf("%+v: %q", report, clean[:40])
	}
	film := slices.Concat(isoBox("ftyp", []byte("avis"), be32(0), []byte("avis")), isoBox("moov", []byte("tracks")))
	refused(t, film, "avif", "The AVIF holds a film and no picture.")
}

func TestHEIFThatLies(t *testing.T) {
	t.Parallel()
	change := func(f isoFile, from, to string) []byte {
		b := f.bytes()
		if !bytes.Contains(b, []byte(from)) {
			t.Fatalf("no %q", from)
		}
		return bytes.Replace(b, []byte(from), []byte(to), 1)
	}
	with := func(edit func(f *isoFile)) isoFile {
		f := isoStill("avif", coded(t, "avif"))
		edit(&f)
		return f
	}
	plain := with(func(*isoFile) {})
	grid := func(to ...int) isoItem {
		return isoItem{kind: "grid", data: make([]byte, 8), references: []isoReference{{"dimg", to}}}
	}
	far := func(b []byte) []byte { // the offset of the only extent, in iloc
		copy(b[bytes.Index(b, []byte("iloc"))+4+4+2+2+2+2+2+2:], be32(1<<31))
		return b
	}
	early := func(b []byte) []byte {
		copy(b[bytes.Index(b, []byte("iloc"))+4+4+2+2+2+2+2+2:], be32(4))
		return b
	}
	for want, file := range map[string][]byte{
		"The file does not begin as an AVIF.": nil,
		"The AVIF ends within the data of its item 1: 363 bytes from byte 2147483648 on are not all there.": far(plain.bytes()),
		"The data of the AVIF's item 1 lies where no data is.":                                              early(plain.bytes()),
		"The AVIF has no item 7, which should be its picture.":                                              with(func(f *isoFile) { f.primary = 7 }).bytes(),
		"The AVIF does not say that it is a picture.":                                                       change(plain, "pict", "soun"),
		"The AVIF does not say what its picture is.":                                                        change(plain, "pitm", "free"),
		"The AVIF's item 1 is of a kind that is not known here.":                                            change(plain, "infe\x02\x00\x00\x00\x00\x01\x00\x00av01", "infe\x02\x00\x00\x00\x00\x01\x00\x00jpeg"),
		"The AVIF's item 1 has no data of its own.":                                                         change(plain, "infe\x02\x00\x00\x00\x00\x01\x00\x00av01", "infe\x02\x00\x00\x00\x00\x01\x00\x01av01"),
		"The AVIF's item 1 has no data.":                                                                    with(func(f *isoFile) { f.items[0].data = nil }).bytes(),
		"The AVIF's item 1 is made of an item 9, which is not there.":                                       with(func(f *isoFile) { f.items[0] = grid(9) }).bytes(),
		"The AVIF's item 1 has to be shown in a way that is not known here.": with(func(f *isoFile) {
			f.items[0].essential, f.items[0].properties = true, append(f.items[0].properties, isoBox("wxyz"))
		}).bytes(),
		"The AVIF's item 1 has a damaged property 3.":              with(func(f *isoFile) { f.items[0].properties = append(f.items[0].properties, isoBox("irot")) }).bytes(),
		"The AVIF describes its picture twice, at byte":            append(plain.bytes(), plain.meta(0)...),
		"The AVIF ends before its picture is described.":           isoBox("ftyp", []byte("avif\x00\x00\x00\x00avif")),
		"The AVIF ends within the box at byte 24.":                 append(isoBox("ftyp", []byte("avif\x00\x00\x00\x00avifmif1")), "\x00\x00\x10\x00meta"...),
		"The AVIF has a damaged box at byte 0.":                    isoBox("ftyp", []byte("avif")),
		"The AVIF has more than 16384 items.":                      manyItems(20_000),
		"The AVIF has more than 16384 boxes of data.":              append(plain.bytes(), bytes.Repeat(isoBox("mdat"), 20_000)...),
		"The AVIF has more than 4 MB of descriptions.":             with(func(f *isoFile) { f.items[0].properties = append(f.items[0].properties, make([]byte, 5<<20)) }).bytes(),
		"The AVIF describes its item 1 twice.":                     change(with(func(f *isoFile) { f.items = append(f.items, isoItem{kind: "Exif"}) }), "\x00\x02\x00\x00Exif", "\x00\x01\x00\x00Exif"),
		"The AVIF has its data in more than 65536 pieces.":         manyPieces(70_000),
		"The AVIF's item 1 has a property 99, which is not there.": change(plain, "\x00\x01\x02\x01\x02", "\x00\x01\x02\x63\x02"),
	} {
		refused(t, file, "avif", want)
	}
	// What goes round in a circle is no matter here: every item is looked at once.
	for _, items := range [][]isoItem{{grid(1)}, {grid(2), grid(1)}, {grid(slices.Repeat([]int{2}, 60_000)...), coded(t, "avif")}} {
		strip(t, isoStill("avif", items...).bytes(), "avif")
	}
}

// manyItems has more items than anybody can use.
func manyItems(n int) []byte {
	var infos []byte
	for id := range n {
		infos = append(infos, fullBox("infe", 2, 0, be16(id+1, 0), []byte("av01\x00"))...)
	}
	return slices.Concat(isoBox("ftyp", []byte("avif\x00\x00\x00\x00avif")), fullBox("meta", 0, 0, fullBox("iinf", 0, 0, be16(n), infos)))
}

// manyPieces has one item after the other whose data is in pieces of no length.
func manyPieces(n int) []byte {
	var locations []byte
	for id := range n / 1000 {
		locations = append(append(locations, be16(id+1, 0, 1000)...), make([]byte, 1000*4)...)
	}
	return slices.Concat(isoBox("ftyp", []byte("avif\x00\x00\x00\x00avif")),
		fullBox("meta", 0, 0, fullBox("iloc", 0, 0, []byte{0x22, 0}, be16(n/1000), locations)))
}

// TestSharedData is about many items with one and the same large piece of data: the new file has it once.
func TestSharedData(t *testing.T) {
	t.Parallel()
	tile := coded(t, "avif")
	items := []isoItem{{kind: "grid", data: make([]byte, 8), references: []isoReference{{"dimg", nil}}, properties: [][]byte{size(64, 48)}}, tile}
	for n := range 200 {
		items[0].references[0].to = append(items[0].references[0].to, n+2)
		items = append(items, isoItem{kind: "av01", properties: tile.properties[:1:1]})
	}
	f := isoStill("avif", items...)
	f.handlerName = secret
	file := f.bytes()
	// All extents from the third on are made the second's.
	at := bytes.Index(file, []byte("iloc")) + 4 + 4 + 2 + 2
	const entry = 16
	for n := 2; n < len(items); n++ {
		copy(file[at+n*entry+8:at+(n+1)*entry], file[at+entry+8:at+2*entry])
	}
	clean, report := strip(t, file, "avif")
	if !report.Private || bytes.Count(clean, tile.data) != 1 {
		t.Errorf("%d bytes became %d, %+v", len(file), len(clean), report)
	}
	if again, err := metadata.Inspect(bytes.NewReader(clean), int64(len(clean)), "avif"); err != nil || again.Private {
		t.Errorf("%+v, %v", again, err)
	}
}
