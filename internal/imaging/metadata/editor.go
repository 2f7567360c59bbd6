package metadata

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/kadr-app/kadr/internal/apperr"
)

// broken is the error for a file whose structure does not hold together.
func broken(format string, args ...any) error {
	return apperr.Newf(apperr.Unprocessable, "image_broken", format, args...)
}

// errEnd is returned by a window for bytes beyond the end; walkers turn it into a sentence.
var errEnd = errors.New("metadata: beyond the end")

// windowSize holds any JPEG segment, and is large enough that reading costs little for each byte.
const windowSize = 128 << 10

// window gives cheap access to small pieces of a large file, front to back.
type window struct {
	r     io.ReaderAt
	size  int64
	buf   []byte
	start int64 // where in the file buf[0] is
	n     int   // how much of buf is filled
}

func newWindow(r io.ReaderAt, size int64) *window { return &window{r: r, size: size} }

// at returns n bytes (at most windowSize) from off on, valid until the next call.
func (w *window) at(off int64, n int) ([]byte, error) {
	if off < 0 || n < 0 || n > windowSize || off > w.size-int64(n) {
		return nil, errEnd
	}
	if off < w.start || off+int64(n) > w.start+int64(w.n) {
		if err := w.fill(off); err != nil {
			return nil, err
		}
	}
	i := int(off - w.start)
	return w.buf[i : i+n], nil
}

func (w *window) fill(off int64) error {
	if w.buf == nil {
		w.buf = make([]byte, min(windowSize, w.size))
	}
	want := int(min(int64(len(w.buf)), w.size-off))
	w.start, w.n = off, 0
	n, err := w.r.ReadAt(w.buf[:want], off)
	if n < want {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // the file is shorter than its size
		}
		return err
	}
	w.n = n
	return nil
}

// index returns where the next byte c is at or after off, or the file's size when there is none.
func (w *window) index(off int64, c byte) (int64, error) {
	for off < w.size {
		if off < w.start || off >= w.start+int64(w.n) {
			if err := w.fill(off); err != nil {
				return 0, err
			}
		}
		rest := w.buf[off-w.start : w.n]
		if i := bytes.IndexByte(rest, c); i >= 0 {
			return off + int64(i), nil
		}
		off += int64(len(rest))
	}
	return w.size, nil
}

// editor receives a walker's decisions, front to back: keep these bytes, drop those, put this in their place. It writes
// when there is something to write to and only counts when there is not.
type editor struct {
	in       *window
	out      io.Writer
	headOnly bool    // only the orientation is wanted: the walker may stop as soon as none can follow
	known    *Report // from the walk before, where a format needs two

	keepFrom, keepTo int64 // kept and not yet written
	written          int64
	private          bool
	orientation      int
	oriented         bool // an EXIF block was met: the first one counts
	frames           int
}

// head returns the file's first n bytes when valid accepts them.
func (e *editor) head(n int, format string, valid func(b []byte) bool) ([]byte, error) {
	b, err := e.in.at(0, n)
	if err != nil && !errors.Is(err, errEnd) {
		return nil, err
	}
	if err != nil || !valid(b) {
		article := "a"
		if format == "AVIF" {
			article = "an"
		}
		return nil, broken("The file does not begin as %s %s.", article, format)
	}
	return b, nil
}

func (e *editor) report() Report {
	return Report{Private: e.private, Orientation: e.orientation, Frames: max(1, e.frames), StrippedSize: e.written}
}

func (e *editor) keep(off, n int64) error {
	e.written += n
	if e.keepTo != off {
		if err := e.flush(); err != nil {
			return err
		}
		e.keepFrom = off
	}
	e.keepTo = off + n
	return nil
}

func (e *editor) drop() { e.private = true }

// insert writes bytes that are not in the source.
func (e *editor) insert(b []byte) error {
	e.written += int64(len(b))
	if e.out == nil {
		return nil
	}
	if err := e.flush(); err != nil {
		return err
	}
	_, err := e.out.Write(b)
	return err
}

// zeros writes so many of them.
func (e *editor) zeros(n int64) error {
	if e.out == nil {
		e.written += n
		return nil
	}
	for b := make([]byte, min(n, 32<<10)); n > 0; n -= int64(len(b)) {
		b = b[:min(n, int64(len(b)))]
		if err := e.insert(b); err != nil {
			return err
		}
	}
	return nil
}

func (e *editor) flush() error {
	from, n := e.keepFrom, e.keepTo-e.keepFrom
	e.keepFrom = e.keepTo
	if e.out == nil || n == 0 {
		return nil
	}
	_, err := io.CopyN(e.out, io.NewSectionReader(e.in.r, from, n), n)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// minimalEXIF returns a TIFF block that holds the orientation and nothing else.
func minimalEXIF(orientation int) []byte {
	return []byte{
		'I', 'I', 42, 0, 8, 0, 0, 0, // little-endian, the first directory at 8
		1, 0, // of one entry:
		0x12, 0x01, 3, 0, 1, 0, 0, 0, byte(orientation), 0, 0, 0, // orientation, one SHORT
		0, 0, 0, 0, // no further directory
	}
}

// exif takes note of a TIFF block and decides about it: keep tells that it is minimal already; otherwise replacement is
// what to put in its place, nil for nothing.
func (e *editor) exif(tiff []byte) (keep bool, replacement []byte) {
	if e.oriented {
		return false, nil
	}
	e.oriented = true
	e.orientation = exifOrientation(tiff)
	if e.orientation == 1 {
		return false, nil
	}
	replacement = minimalEXIF(e.orientation)
	return bytes.Equal(tiff, replacement), replacement
}

// exifOrientation reads the orientation from the first directory of a TIFF block; anything odd is 1.
func exifOrientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := int64(order.Uint32(tiff[4:]))
	if at > int64(len(tiff))-2 {
		return 1
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			return 1
		}
		if order.Uint16(entries) == 0x0112 {
			value := int(order.Uint16(entries[8:]))
			if order.Uint16(entries[2:]) != 3 || order.Uint32(entries[4:]) != 1 || value < 1 || value > 8 {
				return 1
			}
			return value
		}
		entries = entries[12:]
	}
	return 1
}
