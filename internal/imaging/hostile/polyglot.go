package hostile

import (
	"slices"
	"strings"
)

const (
	page = "<!doctype html><html><body>" + Script + "</body></html>"
	svg  = `<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="8" height="8">` + Script + `</svg>`
	// The end of an archive that holds nothing: enough for a program that looks for one.
	archive = "PK\x05\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	pdf     = "%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(" + Script + ")>>>>endobj\n"
)

// polyglots are pictures that are something else as well, and something else that looks like a picture.
func polyglots(g *group) {
	plant := func(name string, want Want, parts ...[]byte) {
		g.add(name, want, slices.Concat(parts...)).Planted = true
	}
	text := func(s string) []byte { return []byte(s) }
	jpeg, png, gif := plainJPEG(), plainPNG(), plainGIF(1)

	for _, w := range wholes() {
		plant("page-behind-"+w.name, Accepted|Refused422|w.optional, w.data, text(page))
		plant("archive-behind-"+w.name, Accepted|Refused422|w.optional, w.data, text(Script), text(archive))
		plant("page-before-"+w.name, Refused415, text(page), w.data)
		plant("pdf-before-"+w.name, Refused415, text(pdf), w.data)
	}
	plant("comment.jpg", Accepted, jpegWith(segment(0xfe, text(page))))
	plant("comment-first.html", Accepted, jpegWith(segment(0xfe, text("--><html>"+Script+"<!--"))))
	plant("application.jpg", Accepted, jpegWith(segment(0xef, text(page))))
	plant("xmp.jpg", Accepted, jpegWith(segment(0xe1, text("http://ns.adobe.com/xap/1.0/\x00"+page))))
	plant("text.png", Accepted, pngWith(pngChunk("tEXt", text("Comment\x00"+page))))
	plant("text-behind.png", Accepted, png[:len(png)-12], pngChunk("tEXt", text("Comment\x00"+page)), png[len(png)-12:])
	plant("private.png", Accepted, pngWith(pngChunk("scRt", text(page))))
	plant("palette.png", Accepted|Refused422, pngWith(pngChunk("PLTE", text(strings.Repeat(Script, 3)[:117]))))
	plant("comment.gif", Accepted, gif[:len(gif)-1], []byte{0x21, 0xfe, byte(len(page))}, text(page), []byte{0, 0x3b})
	plant("application.gif", Accepted, gif[:len(gif)-1], text("\x21\xff\x0bNETSCAPE2.0"), []byte{byte(len(page))}, text(page), []byte{0, 0x3b})
	// GIF89a is a name in JavaScript, and the canvas's size the beginning of a comment.
	plant("script-canvas.gif", Accepted|Refused422, text("GIF89a/*"), gif[10:], text("*/=1;"+Script))
	plant("script-only.gif", Refused422, text("GIF89a/*"+Script+"*/=1;"))
	plant("xmp.webp", Accepted, riff(extended(0x04, wide, high), still(), chunk{"XMP ", text(page)}))
	plant("unknown.webp", Accepted|Refused422, riff(extended(0, wide, high), chunk{"HTML", text(page)}, still()))
	plant("script-only.webp", Refused422, text("RIFF=1/*WEBP*/;"+Script))
	for _, c := range []codec{avif(), heic()} {
		plant("box."+c.extension(), Accepted|Refused422|optional, c.file(c.picture(wide, high)), box("uuid", text(page)))
		plant("type."+c.extension(), Accepted|refused, box("ftyp", text(c.brand), u32(0), text(c.brand+"mif1"+page)), c.file(c.picture(wide, high))[24:])
	}

	for _, extension := range []string{"jpg", "png", "gif", "webp", "avif", "heic", "tiff", "svg", "html", "pdf"} {
		plant("page."+extension, Refused415, text(page))
		plant("drawing."+extension, Refused415, text(svg))
		plant("document."+extension, Refused415, text(pdf))
		plant("script."+extension, Refused415, text("#!/bin/sh\n# "+Script))
	}
	plant("marker-only.jpg", Refused422, text("\xff\xd8\xff\xe0"+page))
	plant("magic-only.png", Refused422, text(pngMagic+page))
	plant("entity.svg", Refused415, text(`<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;`+Script+`</svg>`))
	plant("marked.svg", Refused415, text("\xef\xbb\xbf  \n"+svg))
	g.add("name.jpg", Accepted, jpeg) // nothing wrong with it but what comes after it in this list
	order(g)
}

// disguises are whole pictures that pretend another format.
func disguises(g *group) {
	for _, w := range wholes() {
		for _, extension := range []string{"jpg", "png", "gif", "webp", "avif", "heic", "tiff", "svg", "html", "pdf", "exe"} {
			g.add(strings.ReplaceAll(w.name, ".", "-")+"."+extension, Accepted|w.optional, w.data)
		}
	}
}
