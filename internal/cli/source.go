package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// errFile marks failures of a file here.
var errFile = errors.New("the file")

// stdinName is how standard input is told.
const stdinName = "standard input"

// source is something to upload.
type source struct {
	name     string // as it is told
	path     string // empty for standard input
	filename string // as the instance is told; may be empty
	size     int64  // -1 for a stream
	err      error  // why it cannot be uploaded
}

// findSources looks at the arguments; a fault of one is in its source, and keeps none of the others.
func findSources(args []string, filename string, recursive bool) ([]source, error) {
	var sources []source
	for _, arg := range args {
		if arg == "-" {
			if slices.ContainsFunc(sources, func(s source) bool { return s.path == "" }) {
				return nil, Usagef("standard input (-) can be read only once")
			}
			sources = append(sources, source{name: stdinName, size: -1})
			continue
		}
		info, err := os.Stat(arg)
		switch {
		case err != nil:
			sources = append(sources, source{name: arg, path: arg, err: fileError(err)})
		case info.IsDir() && !recursive:
			sources = append(sources, source{name: arg, path: arg, err: errors.New("is a folder; -r takes the pictures in it")})
		case info.IsDir():
			sources = append(sources, walk(arg)...)
		default:
			sources = append(sources, fileSource(arg, info))
		}
	}
	if filename == "" {
		return sources, nil
	}
	if len(sources) != 1 {
		return nil, Usagef("--filename is for one file")
	}
	sources[0].filename = filename
	return sources, nil
}

func fileSource(path string, info fs.FileInfo) source {
	s := source{name: path, path: path, filename: cleanFilename(filepath.Base(path)), size: info.Size()}
	if !info.Mode().IsRegular() { // a pipe, such as the shell's <(…)
		s.size, s.filename = -1, ""
	}
	return s
}

// isPicture goes by the name's end, as whoever asks for a folder does. Files that are named are sent whatever their name.
func isPicture(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".webp", ".avif", ".heic", ".heif", ".tif", ".tiff":
		return true
	}
	return false
}

// walk finds the pictures in a folder and in its folders, in the order of their names. What is hidden stays so, and links
// to folders are not followed.
func walk(folder string) (sources []source) {
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			sources = append(sources, source{name: path, path: path, err: fileError(err)})
			return nil
		}
		hidden := path != folder && strings.HasPrefix(d.Name(), ".")
		if d.IsDir() {
			if hidden {
				return fs.SkipDir
			}
			return nil
		}
		if hidden || !isPicture(path) {
			return nil
		}
		info, err := os.Stat(path) // of what a link leads to
		switch {
		case err != nil:
			sources = append(sources, source{name: path, path: path, err: fileError(err)})
		case info.Mode().IsRegular():
			sources = append(sources, fileSource(path, info))
		}
		return nil
	})
	if err != nil {
		return append(sources, source{name: folder, path: folder, err: fileError(err)})
	}
	if len(sources) == 0 {
		return []source{{name: folder, path: folder, err: errors.New("there are no pictures in it")}}
	}
	return sources
}

// open returns the file, from its beginning, and its size. A stream is read to its end first, into a file without a name,
// so that it can be sent again after a broken connection; more than limit bytes of it are not taken.
func (s source) open(ctx context.Context, stdin io.Reader, limit func(context.Context) (int64, error)) (*os.File, int64, error) {
	if s.size < 0 {
		return s.spool(ctx, stdin, limit)
	}
	file, err := os.Open(s.path)
	if err != nil {
		return nil, 0, fileError(err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(fileError(err), file.Close())
	}
	return file, info.Size(), nil
}

func (s source) spool(ctx context.Context, stream io.Reader, limit func(context.Context) (int64, error)) (*os.File, int64, error) {
	most, err := limit(ctx)
	if err != nil {
		return nil, 0, err
	}
	if s.path != "" {
		pipe, err := os.Open(s.path)
		if err != nil {
			return nil, 0, fileError(err)
		}
		defer pipe.Close()
		stream = pipe
	}
	file, err := os.CreateTemp("", "kadr-upload-")
	if err != nil {
		return nil, 0, fmt.Errorf("%w to keep it in: %w", errFile, err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, 0, errors.Join(fmt.Errorf("%w to keep it in: %w", errFile, err), file.Close())
	}
	type outcome struct {
		size int64
		err  error
	}
	copied := make(chan outcome, 1)
	go func() { // which a terminal may keep for ever
		n, err := io.Copy(file, io.LimitReader(stream, most+1))
		copied <- outcome{n, err}
	}()
	select {
	case <-ctx.Done():
		return nil, 0, context.Cause(ctx) // the process ends, and with it the copying
	case c := <-copied:
		switch {
		case c.err != nil:
			err = fmt.Errorf("%w cannot be read: %w", errFile, c.err)
		case c.size > most:
			err = fmt.Errorf("it is larger than %d bytes, the most that the instance takes", most)
		case c.size == 0:
			err = errors.New("it is empty")
		default:
			return file, c.size, nil
		}
		return nil, 0, errors.Join(err, file.Close())
	}
}

// fileError is without the path, which is told beside it, and without the system call.
func fileError(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("%w cannot be read: %w", errFile, err)
}

// maxFilename is the contract's, in characters.
const maxFilename = 255

// cleanFilename makes of a file's name one that the contract takes.
func cleanFilename(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\\' || r == '/' || r == utf8.RuneError {
			return '_'
		}
		return r
	}, name)
	if runes := []rune(name); len(runes) > maxFilename {
		name = string(runes[:maxFilename])
	}
	return name
}

// printable keeps what came from elsewhere from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}
