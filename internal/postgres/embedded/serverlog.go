package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// maxServerLog is the size in bytes at which the server's log is moved aside; one older part is kept.
	maxServerLog = 16 << 20
	// logTailLines and logTailBytes bound what of the log goes into an error.
	logTailLines = 15
	logTailBytes = 8 << 10
)

// openServerLog opens the file that the server writes to, as its standard error.
func openServerLog(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL's log: %w", err)
	}
	if err := boundServerLog(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// boundServerLog moves the log's content aside when it is long. The server keeps the file open, for appending: so it is
// copied and emptied rather than renamed, and what is written between the two is lost.
func boundServerLog(f *os.File) error {
	info, err := f.Stat()
	if err != nil || info.Size() <= maxServerLog {
		return err
	}
	older, err := os.OpenFile(f.Name()+".1", os.O_WRONLY|os.O_TRUNC|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	// Only the newest part, should the log have grown far beyond the limit in between.
	from := max(0, info.Size()-maxServerLog)
	_, err = io.Copy(older, io.NewSectionReader(f, from, info.Size()-from))
	return errors.Join(err, older.Close(), f.Truncate(0))
}

// tail is the end of a log.
type tail []string

func (t tail) String() string {
	if len(t) == 0 {
		return "  (empty)"
	}
	return "  " + strings.Join(t, "\n  ")
}

func (t tail) has(text string) bool { return strings.Contains(t.String(), text) }

// logTail returns the last lines of the log, none of them from before the offset from.
func logTail(name string, from int64) tail {
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	from = max(from, info.Size()-logTailBytes)
	text, err := io.ReadAll(io.NewSectionReader(f, from, logTailBytes))
	if err != nil {
		return nil
	}
	var lines tail
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-logTailLines):]
}
