package metadata

import "encoding/binary"

// box is one of an ISO media file (ISO/IEC 14496-12): a length, a kind of four letters, a body.
type box struct {
	kind string
	off  int64
	body span
}

// readBox reads the head of the box at off, which has to end where what holds it does, or before. It returns errEnd when
// it does not; the box then says what it would be.
func readBox(in *window, off, end int64) (box, error) {
	if end-off < 8 {
		return box{}, errEnd
	}
	b, err := in.at(off, 8)
	if err != nil {
		return box{}, err
	}
	head, length := int64(8), int64(binary.BigEndian.Uint32(b))
	c := box{kind: string(b[4:8]), off: off}
	switch length {
	case 0: // to the end
		length = end - off
	case 1:
		head = 16
		if end-off < head {
			return c, errEnd
		}
		if b, err = in.at(off+8, 8); err != nil {
			return c, err
		}
		length = int64(min(binary.BigEndian.Uint64(b), 1<<63-1))
	}
	if length < head || length > end-off {
		return c, errEnd
	}
	c.body = span{off + head, length - head}
	return c, nil
}

// appendBox puts a box together from its body's parts.
func appendBox(b []byte, kind string, parts ...[]byte) []byte {
	n := 8
	for _, p := range parts {
		n += len(p)
	}
	b = append(binary.BigEndian.AppendUint32(b, uint32(n)), kind...)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// appendUint appends a big-endian number of n bytes.
func appendUint(b []byte, n int, v uint64) []byte {
	return append(b, binary.BigEndian.AppendUint64(nil, v)[8-n:]...)
}

// cursor reads what lies in memory, front to back. Beyond the end there are zeros, and short becomes true.
type cursor struct {
	b     []byte
	short bool
}

func (c *cursor) take(n int) []byte {
	if n > len(c.b) {
		c.b, c.short = nil, true
		return make([]byte, min(n, 8))
	}
	taken := c.b[:n:n]
	c.b = c.b[n:]
	return taken
}

// uint reads a number of n bytes, at most 8.
func (c *cursor) uint(n int) (v uint64) {
	for _, b := range c.take(n) {
		v = v<<8 | uint64(b)
	}
	return v
}

// id reads the number of an item, of which there are short ones and long ones.
func (c *cursor) id(wide bool) uint32 {
	if wide {
		return uint32(c.uint(4))
	}
	return uint32(c.uint(2))
}

// version reads what versioned boxes begin with.
func (c *cursor) version() (version byte, flags uint32) {
	v := c.uint(4)
	return byte(v >> 24), uint32(v & 0xffffff)
}

// box takes the next box, and returns also all of it.
func (c *cursor) box() (kind string, body, whole []byte) {
	if len(c.b) < 8 {
		c.b, c.short = nil, true
		return "", nil, nil
	}
	n := uint64(binary.BigEndian.Uint32(c.b))
	if n == 0 {
		n = uint64(len(c.b))
	}
	if n < 8 || n > uint64(len(c.b)) {
		c.b, c.short = nil, true
		return "", nil, nil
	}
	whole = c.take(int(n))
	return string(whole[4:8]), whole[8:], whole
}
