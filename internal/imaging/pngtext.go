package imaging

import (
	"encoding/binary"
	"slices"
)

// maxPNGText is how many bytes of text chunks libvips gets to see. It expands compressed ones, to a thousand times their
// size, only for the text to be forgotten.
const maxPNGText = 16 << 10

// withoutText returns a PNG without its text chunks when they are larger than maxPNGText together, and else the file itself.
func withoutText(data []byte) []byte {
	text := 0
	for kind, chunk := range pngChunks(data) {
		if isPNGText(kind) {
			text += len(chunk)
		}
	}
	if text <= maxPNGText {
		return data
	}
	out := slices.Clone(data[:8])
	rest := data[8:]
	for kind, chunk := range pngChunks(data) {
		if !isPNGText(kind) {
			out = append(out, chunk...)
		}
		rest = rest[len(chunk):]
	}
	return append(out, rest...)
}

func isPNGText(kind string) bool { return kind == "tEXt" || kind == "zTXt" || kind == "iTXt" }

// pngChunks walks through a PNG's chunks, each with its length and checksum, as far as they are whole.
func pngChunks(data []byte) func(yield func(kind string, chunk []byte) bool) {
	return func(yield func(string, []byte) bool) {
		const frame = 12
		for rest := data[min(8, len(data)):]; len(rest) >= frame; {
			length := uint64(binary.BigEndian.Uint32(rest))
			if length > uint64(len(rest)-frame) {
				return
			}
			chunk := rest[:frame+length]
			if !yield(string(rest[4:8]), chunk) {
				return
			}
			rest = rest[len(chunk):]
		}
	}
}
