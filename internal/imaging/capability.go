package imaging

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/imaging/vips"
)

// samples holds a picture of 16 × 16 pixels for every format, all of the same slope of colours, saved by libvips 8.14.
//
//go:embed samples
var samples embed.FS

// warmUp reads and makes every format once. What libraries load lazily has to be there before files can no longer be
// opened; and which formats a libvips was built with shows only when it is tried.
func warmUp() (input, output []Format, err error) {
	sink, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, nil, err
	}
	defer sink.Close()
	var failures []error
	for _, t := range formats() {
		if err := tryInput(t); err != nil {
			failures = append(failures, fmt.Errorf("read %s: %w", t.name, err))
		} else {
			input = append(input, t.format)
		}
	}
	for _, t := range formats() {
		if !t.output {
			continue
		}
		if err := tryOutput(t, int(sink.Fd())); err != nil {
			failures = append(failures, fmt.Errorf("make %s: %w", t.name, err))
		} else {
			output = append(output, t.format)
		}
	}
	for _, f := range []Format{JPEG, PNG, WebP} { // every thumbnail is one of these
		if !slices.Contains(input, f) || !slices.Contains(output, f) {
			return nil, nil, errors.Join(failures...)
		}
	}
	return input, output, nil
}

func tryInput(t traits) error {
	sample, err := samples.ReadFile("samples/sample." + string(t.format))
	if err != nil {
		return err
	}
	half := vips.Size{Width: 8, Height: 8}
	_, err = vips.Run(sample, t.native, vips.Job{Shrink: 1, Frames: 1, Used: 1, Outputs: []vips.Output{
		{From: -1, Frames: 1, Scaled: half, Canvas: half, Orientation: 6, Format: vips.Pixels},
	}})
	return err
}

func tryOutput(t traits, sink int) error {
	sample, err := samples.ReadFile("samples/sample." + string(PNG))
	if err != nil {
		return err
	}
	size := vips.Size{Width: 16, Height: 16}
	_, err = vips.Run(sample, vips.PNG, vips.Job{Shrink: 1, Frames: 1, Used: 1, Deliver: deliver, Outputs: []vips.Output{{
		From: -1, Frames: 1, Scaled: size, Canvas: size, Orientation: 1, Opaque: !t.alpha,
		Format: t.native, Quality: max(1, t.quality), Effort: t.effort, FD: sink,
	}}})
	return err
}

// notAllowed is ErrNotAllowed with the names of what is.
func notAllowed(allowed []Format) error {
	var names []string
	for _, f := range allowed {
		names = append(names, f.Name())
	}
	last := len(names) - 1
	return apperr.Newf(ErrNotAllowed.Kind, ErrNotAllowed.Code, "This is not a %s or %s picture.",
		strings.Join(names[:last], ", "), names[last])
}

// Formats returns what the pool's libvips can read and what it can make. What it cannot read is refused as ErrNotAllowed.
func (p *Pool) Formats() (input, output []Format) {
	return slices.Clone(p.input), slices.Clone(p.output)
}
