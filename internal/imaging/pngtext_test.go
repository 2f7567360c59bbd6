package imaging

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/png"
	"slices"
	"testing"
)

func TestTextIsLeftOutOnlyWhereThereIsMuch(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 20, 10))); err != nil {
		t.Fatal(err)
	}
	plain := b.Bytes()
	const header = 8 + 12 + 13
	with := func(length int) []byte {
		chunk := append(binary.BigEndian.AppendUint32(nil, uint32(length)), "zTXt"...)
		chunk = append(chunk, make([]byte, length)...)
		chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
		return slices.Concat(plain[:header], chunk, plain[header:])
	}
	if little := with(1000); !bytes.Equal(withoutText(little), little) {
		t.Error("a little text is not left alone")
	}
	if much := with(maxPNGText); !bytes.Equal(withoutText(much), plain) {
		t.Error("much text is not left out, or more than that")
	}
	for _, file := range [][]byte{nil, plain[:4], plain[:40], with(maxPNGText)[:1000]} {
		if !bytes.Equal(withoutText(file), file) {
			t.Error("what is cut off is changed")
		}
	}
}
