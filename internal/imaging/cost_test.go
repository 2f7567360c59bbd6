package imaging

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/png"
	"testing"
	"time"
)

// jpegHeader is as much of a JPEG as its size takes.
func jpegHeader(width, height int, progressive bool) []byte {
	marker := byte(0xc0)
	if progressive {
		marker = 0xc2
	}
	b := []byte{0xff, 0xd8, 0xff, marker, 0, 17, 8}
	b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, uint16(height)), uint16(width))
	return append(b, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1, 0xff, 0xda)
}

func rendering(outputs ...Output) ask { return ask{operation: opRender, outputs: outputs} }

func narrow(f Format, width int) Output { return Output{Shape: Shape{Width: width}, Format: f} }

// Measured with libvips 8.14 on photographs; who changes a figure looks here at what it comes to.
func TestCostIsAboutWhatWasMeasured(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		outline outline
		ask     ask
		time    time.Duration
		memory  int64 // above the idle decoder's, in MB
	}{
		"12 MP JPEG to 320":    {outline{format: JPEG, width: 4000, height: 3000, samples: 1.5, depth: 2}, rendering(narrow(WebP, 320)), 40 * time.Millisecond, 8},
		"24 MP JPEG to 1280":   {outline{format: JPEG, width: 6000, height: 4000, samples: 1.5, depth: 2}, rendering(narrow(JPEG, 1280)), 110 * time.Millisecond, 16},
		"24 MP JPEG whole":     {outline{format: JPEG, width: 6000, height: 4000, samples: 1.5, depth: 2}, rendering(narrow(WebP, 0)), 1700 * time.Millisecond, 200},
		"12 MP progressive":    {outline{format: JPEG, width: 4000, height: 3000, samples: 1.5, depth: 2, whole: true}, rendering(narrow(JPEG, 1280)), 200 * time.Millisecond, 50},
		"12 MP AVIF":           {outline{format: AVIF, width: 4000, height: 3000, samples: 4, depth: 1}, rendering(narrow(WebP, 320)), 370 * time.Millisecond, 120},
		"12 MP HEIC":           {outline{format: HEIC, width: 4000, height: 3000, samples: 4, depth: 1}, rendering(narrow(WebP, 320)), 730 * time.Millisecond, 120},
		"1280 to AVIF":         {outline{format: JPEG, width: 1280, height: 960, samples: 3, depth: 2}, rendering(narrow(AVIF, 0)), 260 * time.Millisecond, 45},
		"1280 to AVIF, harder": {outline{format: JPEG, width: 1280, height: 960, samples: 3, depth: 2}, rendering(Output{Format: AVIF, Effort: 4}), 4900 * time.Millisecond, 45},
		"24 frames to GIF":     {outline{format: GIF, width: 480, height: 360, frames: 24, samples: 4, depth: 1}, rendering(narrow(GIF, 0)), 1300 * time.Millisecond, 130},
	} {
		cost, memory := tc.ask.costOf(tc.outline)
		if cost < tc.time/2 || cost > 2*tc.time {
			t.Errorf("%s: %v, measured %v", name, cost, tc.time)
		}
		if memory < tc.memory<<20/2 || memory > 2*tc.memory<<20 {
			t.Errorf("%s: %d MB, measured %d", name, memory>>20, tc.memory)
		}
	}
}

func TestCostGrows(t *testing.T) {
	t.Parallel()
	photo := jpegHeader(4000, 3000, false)
	cost := func(a ask, file []byte) time.Duration {
		c, _ := a.estimate(bytes.NewReader(file), int64(len(file)))
		return c
	}
	small := cost(rendering(narrow(WebP, 320)), photo)
	master := rendering(narrow(WebP, 320))
	master.picture = extent{4000, 3000}
	for name, larger := range map[string]time.Duration{
		"a larger result":   cost(rendering(narrow(WebP, 1280)), photo),
		"a slower encoder":  cost(rendering(Output{Shape: Shape{Width: 320}, Format: AVIF, Effort: 4}), photo),
		"a larger source":   cost(rendering(narrow(WebP, 320)), jpegHeader(8000, 6000, false)),
		"progressive":       cost(rendering(narrow(WebP, 320)), jpegHeader(4000, 3000, true)),
		"two results":       cost(rendering(narrow(WebP, 320), narrow(WebP, 300)), photo),
		"a cut, not shrunk": cost(rendering(Output{Shape: Shape{Crop: Rect{Width: 320, Height: 240}}, Format: WebP}), photo),
	} {
		if larger <= small {
			t.Errorf("%s costs %v, the small one %v", name, larger, small)
		}
	}
	if c := cost(master, jpegHeader(1280, 960, false)); c >= small {
		t.Errorf("from a master %v, from the original %v", c, small)
	}
	ingest := ask{operation: opIngest, outputs: []Output{narrow(WebP, 320)}}
	never := ingest
	never.outputs = []Output{{Shape: Shape{Width: 320}, Format: WebP, When: Condition{Transparent: true}}}
	if a, b := cost(ingest, photo), cost(never, photo); b >= a {
		t.Errorf("what a JPEG never holds costs %v of %v", b, a)
	}
	if c := cost(ask{operation: opProbe}, photo); c > 2*requestCost {
		t.Errorf("a probe costs %v", c)
	}
}

func TestCostOfWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 300, 300))); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{
		"nothing": nil, "text": []byte("hello"), "no size": {0xff, 0xd8, 0xff, 0xd9}, "beyond the limit": b.Bytes(),
		"cut": jpegHeader(400, 300, false)[:8],
	} {
		a := rendering(narrow(WebP, 320))
		a.limits.MaxPixels = 10_000
		cost, memory := a.estimate(bytes.NewReader(file), int64(len(file)))
		if cost <= 0 || cost > unknownCost || memory < requestMemory || memory > unknownMemory {
			t.Errorf("%s: %v and %d bytes", name, cost, memory)
		}
	}
}
