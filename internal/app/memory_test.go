package app_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"strconv"
	"sync"
	"testing"
)

const (
	uploadSize   = 50 << 20 // what MAX_UPLOAD_BYTES allows
	memoryBudget = 128 << 20
)

// testMemory bounds the memory of the server, without its decoders, while 8 clients each upload 50 MB: half of them a
// JPEG, half a PNG; half to be kept as they are, half to be stripped; half in parts.
func testMemory(t *testing.T, binary string) {
	env := settings(t)
	s := start(t, kadrServe(t, binary), env)
	clients := newClients(t, env, s.addr, 8)
	idle := peakMemory(t, s.pid())
	var uploading sync.WaitGroup
	for i, c := range clients {
		uploading.Go(func() {
			body, keep := paddedJPEG(t, i), strconv.FormatBool(i < 4)
			if i%2 == 1 {
				body = paddedPNG(t, i)
			}
			var status int
			var p picture
			var err error
			if i/2%2 == 0 {
				status, p, err = c.upload(t.Context(), "?keep_metadata="+keep, body)
			} else {
				var id string
				if _, id, err = c.begin(t.Context(), uploadSize); err == nil {
					_, err = c.part(t.Context(), id, 0, body)
				}
				if err == nil {
					status, p, err = c.complete(t.Context(), id, `{"keep_metadata":`+keep+`}`)
				}
			}
			if status != http.StatusCreated {
				t.Errorf("client %d: %d, %v", i, status, err)
			} else if kept := p.Size == uploadSize; kept != (i < 4) {
				t.Errorf("client %d: %d bytes are kept", i, p.Size)
			}
		})
	}
	uploading.Wait()
	peak := peakMemory(t, s.pid())
	t.Logf("peak memory %d MiB, idle %d MiB", peak>>20, idle>>20)
	if peak >= memoryBudget {
		t.Errorf("the server took %d MiB, of %d", peak>>20, memoryBudget>>20)
	}
	s.stop(t)
}

// paddedJPEG is a picture with comments, uploadSize bytes long, that does not lie in memory.
func paddedJPEG(t *testing.T, shade int) io.Reader {
	t.Helper()
	var file bytes.Buffer
	if err := jpeg.Encode(&file, flat(shade), nil); err != nil {
		t.Fatal(err)
	}
	const most = 65533 // in a segment
	parts := []io.Reader{bytes.NewReader(file.Next(2))}
	for room := uploadSize - 2 - file.Len(); room > 0; {
		n := min(room-4, most)
		if rest := room - 4 - n; rest > 0 && rest < 4 {
			n -= 4 // too little for a segment of its own
		}
		segment := binary.BigEndian.AppendUint16([]byte{0xFF, 0xFE}, uint16(n+2))
		parts = append(parts, bytes.NewReader(segment), io.LimitReader(filler{}, int64(n)))
		room -= n + 4
	}
	return io.MultiReader(append(parts, &file)...)
}

// paddedPNG is the same with one large text.
func paddedPNG(t *testing.T, shade int) io.Reader {
	t.Helper()
	var file bytes.Buffer
	if err := png.Encode(&file, flat(shade)); err != nil {
		t.Fatal(err)
	}
	content := io.LimitReader(filler{}, uploadSize-int64(file.Len())-12-5)
	size := content.(*io.LimitedReader).N + 5
	sum := crc32.NewIEEE()
	name := []byte("tEXtpads\x00") // the chunk's name, and the text's
	_, _ = sum.Write(name)
	head := append(binary.BigEndian.AppendUint32(file.Next(pngHead)[:pngHead:pngHead], uint32(size)), name...)
	return io.MultiReader(bytes.NewReader(head), io.TeeReader(content, sum), lazily(func() io.Reader {
		return bytes.NewReader(binary.BigEndian.AppendUint32(nil, sum.Sum32()))
	}), &file)
}

func flat(shade int) image.Image {
	m := image.NewGray(image.Rect(0, 0, 60, 40))
	for i := range m.Pix {
		m.Pix[i] = byte(shade * 20)
	}
	return m
}

// filler reads as letters without end.
type filler struct{}

func (filler) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'k'
	}
	return len(p), nil
}

// lazily is a reader that is made when it is first read.
func lazily(make func() io.Reader) io.Reader { return &lazyReader{make: make} }

type lazyReader struct {
	make func() io.Reader
	made io.Reader
}

func (l *lazyReader) Read(p []byte) (int, error) {
	if l.made == nil {
		l.made = l.make()
	}
	return l.made.Read(p)
}
