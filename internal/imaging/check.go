package imaging

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
)

// Check lets a decoder look at a picture of one pixel, and returns nil when it could. Decoders that have too much to do are
// no failure.
func (p *Pool) Check(ctx context.Context) error {
	var buf bytes.Buffer
	if err := png.Encode(&buf, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		return fmt.Errorf("imaging: check: %w", err)
	}
	f, err := NewScratch()
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(buf.Bytes()); err != nil {
		return fmt.Errorf("imaging: check: %w", err)
	}
	if _, err := p.Probe(ctx, f, Limits{}); err != nil && !errors.Is(err, ErrBusy) {
		return err
	}
	return nil
}
