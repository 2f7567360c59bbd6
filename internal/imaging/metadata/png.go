package metadata

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

const pngSignature = "\x89PNG\r\n\x1a\n"

// pngKept tells which ancillary chunks change how the picture looks or moves. Critical chunks are always kept.
func pngKept(kind string) bool {
	switch kind {
	case "tRNS", "gAMA", "cHRM", "sRGB", "iCCP", "cICP", "sBIT", "bKGD", "pHYs", "hIST", "sPLT", "mDCV", "cLLI",
		"acTL", "fcTL", "fdAT":
		return true
	}
	return false
}

func walkPNG(e *editor) error {
	err := walkChunks(e)
	if errors.Is(err, errEnd) {
		return broken("The PNG ends before its last chunk.")
	}
	return err
}

func walkChunks(e *editor) error {
	if _, err := e.head(8, "PNG", func(b []byte) bool { return string(b) == pngSignature }); err != nil {
		return err
	}
	if err := e.keep(0, 8); err != nil {
		return err
	}
	for off := int64(8); ; {
		head, err := e.in.at(off, 8)
		if err != nil {
			return err
		}
		length := int64(binary.BigEndian.Uint32(head))
		kind := string(head[4:8])
		if length > 1<<31-1 || !isChunkName(kind) {
			return broken("There is no valid PNG chunk at byte %d.", off)
		}
		if off == 8 && kind != "IHDR" {
			return broken("The PNG does not begin with its header.")
		}
		whole := length + 12
		if whole > e.in.size-off {
			return broken("The PNG ends within the chunk at byte %d.", off)
		}
		switch critical := kind[0]&0x20 == 0; {
		case critical || pngKept(kind):
			err = e.keep(off, whole)
		case kind == "eXIf":
			err = pngEXIF(e, off, length)
		default:
			e.drop()
		}
		if err != nil {
			return err
		}
		off += whole
		if kind == "IEND" {
			if off < e.in.size {
				e.drop()
			}
			return nil
		}
	}
}

func pngEXIF(e *editor, off, length int64) error {
	tiff, err := e.in.at(off+8, int(min(length, windowSize)))
	if err != nil {
		return err
	}
	keep, replacement := e.exif(tiff)
	if keep {
		return e.keep(off, length+12)
	}
	e.drop()
	if replacement == nil {
		return nil
	}
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(replacement)))
	chunk = append(append(chunk, "eXIf"...), replacement...)
	return e.insert(binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:])))
}

func isChunkName(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}
