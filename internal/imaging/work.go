package imaging

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"slices"

	"go.n16f.net/thumbhash"
	"golang.org/x/sys/unix"

	"github.com/kadr-app/kadr/internal/imaging/metadata"
	"github.com/kadr-app/kadr/internal/imaging/vips"
)

// answer does what a request asks for; files are its source and outputs.
func (d *decoder) answer(request wireRequest, files []int) wireReply {
	if request.Operation == opSelfTest {
		return wireReply{Error: newWireError(selfTest(request.SelfTest))}
	}
	if len(files) != len(request.Outputs)+1 {
		return wireReply{Error: newWireError(fmt.Errorf("%d descriptors for %d outputs", len(files), len(request.Outputs)))}
	}
	var reply wireReply
	err := withMapped(files[0], func(data []byte) error {
		p, err := inspect(data, request.Limits, d.input)
		if err != nil {
			return err
		}
		reply.Info = p.info
		if request.Operation == opProbe {
			return nil
		}
		return p.make(request, files[1:], &reply)
	})
	if err != nil {
		return wireReply{Error: newWireError(err)}
	}
	return reply
}

// withMapped maps the file rather than reading it through the descriptor: requests for the same open file share its
// offset, and none may disturb another.
func withMapped(fd int, do func(data []byte) error) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("stat source: %w", err)
	}
	if st.Size == 0 {
		return ErrEmpty
	}
	data, err := unix.Mmap(fd, 0, int(st.Size), unix.PROT_READ, unix.MAP_PRIVATE)
	if errors.Is(err, unix.ENOMEM) {
		return ErrTooLarge.Wrap(err)
	}
	if err != nil {
		return fmt.Errorf("map source: %w", err)
	}
	defer func() { _ = unix.Munmap(data) }()
	return do(data)
}

// picture is a source that has passed the limits.
type picture struct {
	data    []byte
	visible []byte // what libvips gets of it
	native  int
	info    Info
}

// inspect finds out what the bytes are and checks the limits; it reads headers only.
func inspect(data []byte, limits Limits, allowed []Format) (*picture, error) {
	format, ok := Sniff(data[:min(len(data), 64)])
	if !ok || !slices.Contains(allowed, format) {
		return nil, notAllowed(allowed)
	}
	t, _ := format.traits()
	p := &picture{data: data, visible: data, native: t.native, info: Info{Format: format, Frames: 1, Orientation: 1}}
	r, size := bytes.NewReader(data), int64(len(data))
	if format == GIF {
		// libvips reads a truncated GIF without a word, and is slow to count a million frames: look first.
		report, err := metadata.Inspect(r, size, string(format))
		if err != nil {
			return nil, err
		}
		p.info.Frames = report.Frames
		if err := limits.checkFrames(p.info); err != nil {
			return nil, err
		}
	}
	if err := checkStructure(data, format); err != nil {
		return nil, err
	}
	if format == PNG {
		p.visible = withoutText(data)
	}
	header, err := vips.ReadHeader(p.visible, t.native)
	if err != nil {
		return nil, p.explain(err)
	}
	switch format {
	case AVIF, HEIC: // the header is read as the picture is shown, whatever an EXIF block says of it
	case TIFF:
		p.info.Orientation = header.Orientation
	default:
		p.info.Orientation = metadata.Orientation(r, size, string(format))
	}
	displayed := extent{header.Width, header.Height}.turned(p.info.Orientation)
	p.info.Width, p.info.Height = displayed.width, displayed.height
	if t.animated { // further pages of the others are pictures of their own, or smaller copies of the first
		p.info.Frames = max(1, header.Frames)
	}
	p.info.HasAlpha, p.info.HasProfile = header.Alpha, header.Profile
	if err := limits.checkFrames(p.info); err != nil {
		return nil, err
	}
	return p, limits.checkPixels(p.info)
}

// checkStructure looks for what the format's library does not mind, or dies of.
func checkStructure(data []byte, format Format) error {
	switch format {
	case AVIF, HEIC:
		return checkHEIF(data, format)
	case TIFF:
		return checkTIFF(data)
	}
	return nil
}

// make runs the one decode that a request takes.
func (p *picture) make(request wireRequest, fds []int, reply *wireReply) error {
	plan, err := planJob(p.info, request, fds)
	if err != nil {
		return err
	}
	reply.Outputs = make([]Rendered, len(request.Outputs))
	if len(plan.job.Outputs) == 0 {
		return nil
	}
	result, err := vips.Run(p.visible, p.native, plan.job)
	if err != nil {
		return p.explain(err)
	}
	if damaged(result.Warnings) {
		return p.explain(&vips.Error{Text: result.Warnings})
	}
	if request.Operation == opIngest && (p.info.Format == PNG || p.info.Format == WebP) {
		// libvips stops reading with the last pixel. What ends even one byte too early is refused here, and not later by
		// whoever walks the file to strip it. A JPEG's decoder reads to the end by itself; a GIF was walked before.
		if _, err := metadata.Inspect(bytes.NewReader(p.data), int64(len(p.data)), string(p.info.Format)); err != nil {
			return err
		}
	}
	for i, at := range plan.order {
		o := plan.job.Outputs[i]
		if at < 0 {
			reply.ThumbHash = thumbHash(result.HashPixels, o.Canvas.Width, o.Canvas.Height)
			continue
		}
		var st unix.Stat_t
		if err := unix.Fstat(o.FD, &st); err != nil {
			return fmt.Errorf("stat output: %w", err)
		}
		reply.Outputs[at] = Rendered{Made: true, Width: o.Canvas.Width, Height: o.Canvas.Height, Size: st.Size}
	}
	return nil
}

// deliver writes a WebP that was made in memory, without the EXIF block that some versions of libvips add of their own.
func deliver(output vips.Output, data []byte) error {
	// The file is the server's and stays open: it is not wrapped in an os.File, which would close it one day.
	_, err := metadata.Strip(descriptor(output.FD), bytes.NewReader(data), int64(len(data)), string(WebP))
	return err
}

// thumbHash makes the placeholder from RGBA pixels whose alpha is not multiplied in. The algorithm wants them so, and the
// library takes an image.RGBA's bytes as they are, but would multiply an image.NRGBA's; hence the wrong type on purpose.
func thumbHash(pixels []byte, width, height int) []byte {
	return thumbhash.EncodeImage(&image.RGBA{Pix: pixels, Stride: width * 4, Rect: image.Rect(0, 0, width, height)})
}
