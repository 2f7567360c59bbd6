package hostile

import (
	"encoding/binary"
	"slices"
)

// profiles are pictures with nothing wrong but their ICC profile.
func profiles(g *group) {
	tags := func(count int, entries ...[]byte) []byte {
		b := make([]byte, 128)
		copy(b[4:], "lcms\x04\x30\x00\x00mntrRGB XYZ ")
		copy(b[36:], "acsp")
		b = slices.Concat(b, u32(count), slices.Concat(entries...))
		binary.BigEndian.PutUint32(b, uint32(len(b)))
		return b
	}
	tag := func(name string, offset, length int) []byte { return append([]byte(name), u32(offset, length)...) }
	stated := func(profile []byte, length int) []byte {
		profile = slices.Clone(profile)
		binary.BigEndian.PutUint32(profile, uint32(length))
		return profile
	}
	empty := tags(0)
	// A table that says it has 2^30 entries for each of three channels, four deep.
	table := append([]byte("mft2\x00\x00\x00\x00\x0f\x0f\xff\x00"), make([]byte, 100)...)
	curve := append([]byte("curv\x00\x00\x00\x00\xff\xff\xff\xff"), make([]byte, 100)...)
	for name, profile := range map[string][]byte{
		"none":       {},
		"byte":       {0},
		"header":     empty[:128],
		"cut":        empty[:60],
		"empty":      empty,
		"zeros":      make([]byte, 1000),
		"random":     bytesOf(random("icc"), 1000),
		"tags-huge":  tags(1<<32 - 1),
		"tags-many":  tags(1<<24, make([]byte, 1200)),
		"tag-self":   tags(1, tag("rXYZ", 128, 16)),
		"tag-beyond": tags(3, tag("rXYZ", 1<<31, 20), tag("gXYZ", 1<<32-1, 20), tag("bXYZ", 144, 1<<32-1)),
		"tags-same":  tags(90, slices.Repeat(tag("A2B0", 132, 1000), 90)),
		"table-huge": tags(1, tag("A2B0", 144, len(table)), table),
		"curve-huge": tags(3, tag("rTRC", 168, len(curve)), tag("gTRC", 168, len(curve)), tag("bTRC", 168, len(curve)), curve),
		"size-none":  stated(empty, 0),
		"size-huge":  stated(empty, 1<<32-1),
		"size-less":  stated(empty, 100),
		"large":      tags(1, tag("desc", 144, 60_000), make([]byte, 60_000)),
	} {
		marked := append([]byte("ICC_PROFILE\x00\x01\x01"), profile...)
		g.add(name+".jpg", Accepted|Refused422, jpegWith(segment(0xe2, marked)))
		g.add(name+".png", Accepted|Refused422, pngWith(pngChunk("iCCP", append([]byte("icc\x00\x00"), deflated(profile)...))))
		g.add(name+".webp", Accepted|Refused422, riff(extended(hasProfile, wide, high), chunk{"ICCP", profile}, still()))
		g.add(name+".tiff", Accepted|Refused422|optional, tiffWith(entry{34675, kindAny, uint32(len(profile)), profile}))
		for _, c := range []codec{avif(), heic()} {
			g.add(name+"."+c.extension(), Accepted|Refused422|optional,
				c.file(c.picture(wide, high, box("colr", []byte("prof"), profile))))
		}
	}
	// A JPEG's profile comes in numbered parts.
	for name, numbers := range map[string][2]byte{"part-none": {0, 0}, "part-beyond": {9, 3}, "parts-missing": {2, 255}} {
		part := append(append([]byte("ICC_PROFILE\x00"), numbers[0], numbers[1]), empty...)
		g.add(name+".jpg", Accepted|Refused422, jpegWith(segment(0xe2, part), segment(0xe2, part)))
	}
	order(g)
}

// exifs are pictures with nothing wrong but their EXIF.
func exifs(g *group) {
	head := []byte("II*\x00\x08\x00\x00\x00")
	block := func(next uint32, entries ...entry) []byte {
		return append(slices.Clone(head), directory(len(head), next, entries...)...)
	}
	const orientation = 0x112
	for name, exif := range map[string][]byte{
		"none":             {},
		"byte":             {'I'},
		"head":             head,
		"order":            []byte("XX*\x00\x08\x00\x00\x00\x00\x00"),
		"magic":            []byte("II\x00\x00\x08\x00\x00\x00\x00\x00"),
		"turned":           block(0, short(orientation, 6)),
		"orientation-none": block(0, short(orientation, 0)),
		"orientation-9":    block(0, short(orientation, 9)),
		"orientation-max":  block(0, short(orientation, 65535)),
		"orientation-long": block(0, long(orientation, 1<<31+6)),
		"orientation-text": block(0, entry{orientation, kindASCII, 1 << 30, []byte("6")}),
		"orientations":     block(0, slices.Repeat([]entry{short(orientation, 6), short(orientation, 3)}, 1000)...),
		"loop":             block(8, short(orientation, 1)),
		"loop-inner":       block(0, long(0x8769, 8), long(0x8825, 8), long(0xa005, 8), long(0x14a, 8)),
		"outside":          block(1<<32-1, long(0x8769, 1<<31), long(0x8825, 1<<32-1), entry{0x10f, kindASCII, 1000, []byte{255, 255, 255, 127}}),
		"first-outside":    []byte("II*\x00\xff\xff\xff\xff\x00\x00"),
		"count-huge":       block(0, entry{0x10f, 12, 1<<32 - 1, make([]byte, 4)}, entry{0x927c, kindAny, 1<<32 - 1, make([]byte, 4)}),
		"entries-missing":  append(slices.Clone(head), 255, 255, 1, 2, 3),
		"kind":             block(0, entry{orientation, 0, 1, []byte{6}}, entry{orientation, 255, 1, []byte{6}}),
		"thumbnail":        append(block(0), block(0, long(0x201, 1<<32-16), long(0x202, 1<<20), short(0x103, 6))...),
		"thumbnail-linked": block(14, slices.Repeat([]entry{long(0x201, 0), long(0x202, 1<<32-1)}, 3)...),
		"maker":            block(0, entry{0x927c, kindAny, 5000, bytesOf(random("maker"), 5000)}),
		"random":           append(slices.Clone(head), bytesOf(random("exif"), 2000)...),
		"script":           block(0, entry{0x10e, kindASCII, uint32(len(Script)), []byte(Script)}),
	} {
		planted := name == "script"
		for extension, data := range map[string][]byte{
			"jpg":  jpegWith(segment(0xe1, append([]byte("Exif\x00\x00"), exif...))),
			"png":  pngWith(pngChunk("eXIf", exif)),
			"webp": riff(extended(hasEXIF, wide, high), still(), chunk{"EXIF", exif}),
		} {
			g.add(name+"."+extension, Accepted|Refused422, data).Planted = planted
		}
		for _, c := range []codec{avif(), heic()} {
			about := item{kind: "Exif", data: append(u32(0), exif...), reference: "cdsc", to: []int{1}}
			g.add(name+"."+c.extension(), Accepted|Refused422|optional, c.file(c.picture(wide, high), about)).Planted = planted
			about.data = append(u32(1<<32-1), exif...) // where it begins
			g.add(name+"-offset."+c.extension(), Accepted|Refused422|optional, c.file(c.picture(wide, high), about)).Planted = planted
		}
	}
	for name, e := range map[string]entry{
		"loop": long(0x8769, 8+wide*high), "outside": long(0x8769, 1<<32-1), "orientation-9": short(orientation, 9),
		"orientation-max": short(orientation, 65535), "turned": short(orientation, 6),
		"script": {270, kindASCII, uint32(len(Script)), []byte(Script)},
	} {
		g.add(name+".tiff", Accepted|Refused422|optional, tiffWith(e)).Planted = name == "script"
	}
	order(g)
}
