package imaging

import "github.com/kadr-app/kadr/internal/apperr"

// maxSide is the longest that a side may be, however short the other one is: each row costs something besides its pixels.
const maxSide = 1_000_000

func (l Limits) checkFrames(info Info) error {
	allowed := l.MaxFrames
	if allowed == 0 {
		allowed = DefaultMaxFrames
	}
	if info.Frames <= allowed {
		return nil
	}
	return apperr.Newf(apperr.Unprocessable, ErrTooManyFrames.Code,
		"The animation has %d frames; at most %d are allowed.", info.Frames, allowed)
}

func (l Limits) checkPixels(info Info) error {
	allowed := l.pixels()
	if longer := max(info.Width, info.Height); longer > maxSide {
		return apperr.Newf(apperr.Unprocessable, ErrTooManyPixels.Code,
			"The picture is %d pixels long; at most %d are allowed.", longer, maxSide)
	}
	frame := int64(info.Width) * int64(info.Height)
	if frame <= allowed/int64(info.Frames) {
		return nil
	}
	if info.Frames > 1 {
		return apperr.Newf(apperr.Unprocessable, ErrTooManyPixels.Code,
			"The animation has %d frames of %d × %d pixels; at most %d pixels in all are allowed.",
			info.Frames, info.Width, info.Height, allowed)
	}
	return apperr.Newf(apperr.Unprocessable, ErrTooManyPixels.Code,
		"The picture has %d × %d pixels; at most %d pixels are allowed.", info.Width, info.Height, allowed)
}

// pixels is how many a picture may have.
func (l Limits) pixels() int64 {
	if l.MaxPixels == 0 {
		return DefaultMaxPixels
	}
	return l.MaxPixels
}

// checkMade holds what is made to the limits too: a small picture may be asked for at a huge size.
func (l Limits) checkMade(f framing, frames int) error {
	if max(f.scaled.pixels(), f.canvas.pixels()) <= l.pixels()/int64(frames) {
		return nil
	}
	return apperr.Newf(apperr.Unprocessable, ErrTooManyPixels.Code,
		"%d × %d pixels were asked for, in %d frames; at most %d pixels in all are allowed.",
		f.canvas.width, f.canvas.height, frames, l.pixels())
}
