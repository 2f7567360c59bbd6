package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// screen is where the results go, and what is told beside them: never both at once, and never into the progress.
type screen struct {
	out, err io.Writer
	quiet    bool

	mu    sync.Mutex
	bar   *progressbar.ProgressBar // nil when there is none
	total int64
	sent  int64
}

// newScreen shows progress where somebody looks: on a terminal, unless that is not wanted.
func newScreen(out, err io.Writer, quiet bool, files int) *screen {
	s := &screen{out: out, err: err, quiet: quiet}
	if quiet || !isTerminal(err) {
		return s
	}
	what := "1 file"
	if files != 1 {
		what = fmt.Sprintf("%d files", files)
	}
	s.bar = progressbar.NewOptions64(1, progressbar.OptionSetWriter(err), progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(true), progressbar.OptionShowCount(), progressbar.OptionShowTotalBytes(true), progressbar.OptionUseIECUnits(true),
		progressbar.OptionSetWidth(20), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionUseANSICodes(true),
		progressbar.OptionClearOnFinish(), progressbar.OptionSetRenderBlankState(true))
	return s
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// expect adds bytes that are to be sent.
func (s *screen) expect(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total += n
	s.draw()
}

// moved adds bytes that were sent, or takes back those that have to be sent again.
func (s *screen) moved(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent += n
	s.draw()
}

// draw stops one byte short of the end, where the bar would be over: bytes that are all sent may have to be sent again.
func (s *screen) draw() {
	if s.bar == nil || s.total == 0 {
		return
	}
	s.bar.ChangeMax64(s.total + 1)
	_ = s.bar.Set64(min(s.sent, s.total)) // it fails as the terminal does
}

// print writes a line of the results.
func (s *screen) print(line string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	_, err := fmt.Fprintln(s.out, line)
	return err
}

// tell writes a line for whoever looks.
func (s *screen) tell(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	fmt.Fprintf(s.err, "kadr: "+format+"\n", args...)
}

// hint is tell for what is not a failure.
func (s *screen) hint(format string, args ...any) {
	if !s.quiet {
		s.tell(format, args...)
	}
}

// end takes the progress away.
func (s *screen) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	s.bar = nil
}

func (s *screen) clear() {
	if s.bar != nil {
		_ = s.bar.Clear() // it fails as the terminal does
	}
}
