package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/kadr-app/kadr/internal/served"
)

// transcript is what each story prints.
const transcript = `registered
key made
uploaded
listed 3
retitled
412 precondition_failed
404 image_not_found
fetched
deleted
410 image_gone
`

// kept is how many pictures a story leaves behind.
const kept = 2

// patience is how long a story or a generator may take: the first time they fetch what they need.
const patience = 15 * time.Minute

// story is one language's.
type story struct {
	language, folder string
	name             string // of the account that it registers

	generator         string // with its version
	lines             int
	generated, toldIn time.Duration
	err               error
}

// tell generates the client and runs the story.
func (s *story) tell(ctx context.Context, in *instance, photo string, whole []byte) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var err error
	if s.lines, err = linesOf(s.folder); err != nil {
		return err
	}
	began := time.Now()
	said, complaints, err := s.script(ctx, "generate")
	s.generated = time.Since(began)
	if err != nil {
		return fmt.Errorf("generate: %w\n%s%s", err, said, complaints)
	}
	s.generator = strings.TrimSuffix(said, "\n")
	if complaints != "" || s.generator == "" || strings.Contains(s.generator, "\n") {
		return fmt.Errorf("generate is to say the generator's name and version, and nothing else:\n%s%s", said, complaints)
	}

	w, err := newWitness(photo, whole)
	if err != nil {
		return err
	}
	in.watched(w)
	began = time.Now()
	said, complaints, err = s.script(ctx, "story", "KADR_URL="+in.url, "KADR_PHOTO="+photo, "KADR_NAME="+s.name)
	s.toldIn = time.Since(began)
	in.watched(nil)
	if err == nil && said != transcript {
		err = fmt.Errorf("it is to print\n%s", transcript)
	}
	if err != nil {
		err = fmt.Errorf("story: %w\nit printed\n%s%s", err, said, complaints)
	}
	return errors.Join(err, w.judge(err == nil))
}

// script runs one of the folder's and returns what it writes to standard output and error.
func (s *story) script(ctx context.Context, name string, settings ...string) (said, complaints string, err error) {
	var out, complained bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(s.folder, name))
	cmd.Env = append(served.Environ(), settings...)
	cmd.Stdout, cmd.Stderr = &out, &complained
	cmd.WaitDelay = time.Second // for what it started
	err = cmd.Run()
	return out.String(), complained.String(), err
}

// linesOf counts the lines of the story's source, which is called story whatever its language calls its files. Empty ones
// don't count.
func linesOf(folder string) (lines int, err error) {
	files := os.DirFS(folder)
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		base, ext := path.Base(name), path.Ext(name)
		if err != nil || d.IsDir() || ext == "" || !strings.EqualFold(strings.TrimSuffix(base, ext), "story") {
			return err
		}
		text, err := fs.ReadFile(files, name)
		for line := range strings.Lines(string(text)) {
			if strings.TrimSpace(line) != "" {
				lines++
			}
		}
		return err
	})
	if err == nil && lines == 0 {
		err = fmt.Errorf("%s has no story", folder)
	}
	return lines, err
}
