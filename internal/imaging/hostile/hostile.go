// Package hostile makes the files that a server for pictures has to survive: bombs that are small on disk and huge in
// memory, lengths that lie, loops, truncations, flipped bits, programs dressed up as pictures. For tests only.
//
// Everything is made in Go, the same at every call. What Go has no encoder for comes from four pictures of 64 × 48 pixels
// in testdata, which are the package's own drawing (see draw) saved by vips 8.14:
//
//	vips jpegsave draw.png progressive.jpg --interlace --Q 60 --strip
//	vips webpsave draw.png still.webp --Q 50 --strip
//	vips heifsave draw.png still.avif --compression av1 --Q 40 --strip
//	vips heifsave draw.png still.heic --compression hevc --Q 40 --strip
package hostile

import (
	"embed"
	"iter"
	"mime"
	"slices"
	"strings"
)

//go:embed testdata
var fixtures embed.FS

// Want is what may become of an upload; of several, any.
type Want uint8

// The outcomes of an upload.
const (
	Accepted   Want = 1 << iota // it is stored
	Refused415                  // not a picture of a kind that is allowed
	Refused422                  // a picture that is broken, or larger than is allowed
)

const refused = Refused415 | Refused422

// optional is added for formats that a server may be built without.
const optional = Refused415

// Has tells whether an outcome is among those wanted.
func (w Want) Has(outcome Want) bool { return w&outcome != 0 }

func (w Want) String() string {
	var names []string
	for i, name := range []string{"accepted", "415", "422"} {
		if w.Has(1 << i) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " or ")
}

// Script is planted in polyglots, and must not be in anything that the server makes of them.
const Script = "<script>alert(document.domain)</script>"

// File is a hostile upload.
type File struct {
	Name string // unique, with the extension that it pretends: "bombs/side.png"
	Data []byte
	Want Want
	// Planted tells that Script is in the file.
	Planted bool
}

// Extension is the one that the file pretends, without a dot.
func (f File) Extension() string { return f.Name[strings.LastIndexByte(f.Name, '.')+1:] }

// FileName is the last part of Name, as a browser would send it.
func (f File) FileName() string { return f.Name[strings.LastIndexByte(f.Name, '/')+1:] }

// MediaType is what a browser would say of the extension.
func (f File) MediaType() string {
	switch f.Extension() {
	case "avif", "heic", "tiff", "webp":
		return "image/" + f.Extension()
	}
	if t := mime.TypeByExtension("." + f.Extension()); t != "" {
		return t
	}
	return "application/octet-stream"
}

// Corpus makes the files one after the other; none is larger than 300 KB.
func Corpus() iter.Seq[File] {
	return func(yield func(File) bool) {
		for _, make := range []struct {
			name  string
			files func(*group)
		}{
			{"jpeg", jpegs},
			{"png", pngs},
			{"gif", gifs},
			{"webp", webps},
			{"heif", heifs},
			{"tiff", tiffs},
			{"profile", profiles},
			{"exif", exifs},
			{"polyglot", polyglots},
			{"disguise", disguises},
			{"scrap", scraps},
			{"truncated", truncations},
			{"flipped", flips},
		} {
			g := group{name: make.name}
			make.files(&g)
			for _, f := range g.files {
				if !yield(f) {
					return
				}
			}
		}
	}
}

// group collects files of one kind.
type group struct {
	name  string
	files []File
}

func (g *group) add(name string, want Want, data []byte) *File {
	g.files = append(g.files, File{Name: g.name + "/" + name, Data: data, Want: want})
	return &g.files[len(g.files)-1]
}

// order makes the same of a group whatever the order of a map was.
func order(g *group) {
	slices.SortFunc(g.files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
}
