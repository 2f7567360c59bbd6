package imaging

import (
	"fmt"
	"os"
	"slices"
)

// makeable refuses what no picture could be made of. Who asks in a stranger's name has checked it before.
func (p *Pool) makeable(o Output) error {
	good := slices.Contains(p.output, o.Format) && o.File != nil && o.Quality >= 0 && o.Quality <= 100 && o.Effort >= 0 &&
		min(o.Width, o.Height, o.Page) >= 0 && max(o.Width, o.Height) <= maxBox && o.Rotate%90 == 0 && o.Rotate >= 0 &&
		o.Rotate < 360 && o.Blur >= 0 && o.Blur <= maxBlur
	if !good {
		return fmt.Errorf("imaging: an output that cannot be made: %s, %+v, quality %d", o.Format, o.Shape, o.Quality)
	}
	return nil
}

// What is beyond these is a mistake.
const (
	maxBox  = 1_000_000
	maxBlur = 1000
)

// outlineOf reads a picture's header, and the file's size in bytes. An error shows when the decoder gets the file.
func outlineOf(src *os.File) (outline, int64) {
	st, err := src.Stat()
	if err != nil {
		return outline{}, 0
	}
	return readOutline(src, st.Size()), st.Size()
}

// demand guesses what a request takes. No guess is above what it is allowed.
func (p *Pool) demand(priority Priority, request wireRequest, source outline, size int64, outputs []Output) demand {
	cost, memory := ask{
		operation: request.Operation, limits: request.Limits, picture: extent{request.Width, request.Height}, outputs: outputs,
	}.estimateOf(source, size)
	if limit := p.config.MemoryLimit; limit > 0 {
		memory = min(memory, limit)
	}
	return demand{priority: priority, cost: min(cost, p.config.Timeout), memory: memory}
}
