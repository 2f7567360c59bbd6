package imaging

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/imaging/metadata"
	"github.com/kadr-app/kadr/internal/imaging/vips"
)

// damaged tells whether libvips carried on over something that leaves the picture visibly wrong. The JPEG decoder also
// warns of what every browser shrugs off (junk before a marker, odd version numbers), and that passes.
func damaged(warnings string) bool {
	for _, sign := range []string{
		"premature end", "Premature end", "bad Huffman code", "instead of RST", "bad arithmetic", "too many warnings",
	} {
		if strings.Contains(warnings, sign) {
			return true
		}
	}
	return false
}

// explain turns a failure of the decode into an error that says, in words of ours, where the picture breaks. It may
// decode the picture once more to find out; that happens for broken pictures only.
func (p *picture) explain(cause error) error {
	var e *vips.Error
	if !errors.As(cause, &e) {
		return cause
	}
	if e.OutOfMemory() {
		return ErrTooLarge.Wrap(cause)
	}
	where := p.whereBroken()
	if where == "" {
		where = ErrBroken.Message
	}
	return apperr.New(ErrBroken.Kind, ErrBroken.Code, where).Wrap(cause)
}

func (p *picture) whereBroken() string {
	if p.info.Format == PNG {
		if at := badChecksum(p.data); at >= 0 {
			return fmt.Sprintf("The PNG chunk at byte %d has a wrong checksum.", at)
		}
	}
	shrink := 1
	if p.info.Format == JPEG && p.info.Width*p.info.Height > 4_000_000 {
		shrink = 8 // rows are found sixteen at a time, so small pictures are not shrunk
	}
	row, rows := vips.Locate(p.visible, p.native, p.info.Frames, shrink)
	name := p.info.Format.Name()
	_, structure := metadata.Inspect(bytes.NewReader(p.data), int64(len(p.data)), string(p.info.Format))
	var s *apperr.Error
	switch {
	case row >= 0 && rows > 0 && p.info.Frames > 1:
		return fmt.Sprintf("Frame %d of the %s's %d is damaged.", row/max(1, rows/p.info.Frames)+1, name, p.info.Frames)
	case row > 0 && rows > 0 && structure != nil:
		return fmt.Sprintf("The %s data ends after %d %% of its rows.", name, 100*row/rows)
	case row > 0 && rows > 0:
		return fmt.Sprintf("The %s data is damaged after %d %% of its rows.", name, 100*row/rows)
	case errors.As(structure, &s):
		return s.Message
	case row < 0 && p.info.Format == JPEG:
		return "The JPEG has parts that cannot be decoded."
	case rows == 0:
		return fmt.Sprintf("The %s's header is damaged.", name)
	}
	return fmt.Sprintf("The %s data is damaged from its beginning.", name)
}

// badChecksum returns where the first PNG chunk lies whose checksum is wrong, or -1. A chunk that is cut off is not one.
func badChecksum(data []byte) int {
	off := 8
	for _, chunk := range pngChunks(data) {
		end := len(chunk) - 4
		if crc32.ChecksumIEEE(chunk[4:end]) != binary.BigEndian.Uint32(chunk[end:]) {
			return off
		}
		off += len(chunk)
	}
	return -1
}
