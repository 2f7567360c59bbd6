// Command clienttest proves that programs in other languages get along with Kadr by nothing but its contract:
// `make test-clients`. For each folder of api/clients that is named it generates the client, then compiles and runs the
// folder's story against the real program with a database of its own, and holds what the story prints, what was really
// asked and answered, and what the instance has afterwards against what each story is to do. It prints a table, and ends
// with 1 where anything is not as it should be.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	kadr := flag.String("kadr", "bin/kadr", "the program to run")
	stories := flag.String("stories", "api/clients", "folder with a folder for each language")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *kadr, *stories, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "clienttest:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kadr, stories string, languages []string) (err error) {
	if len(languages) == 0 {
		return errors.New("no languages are named")
	}
	dir, err := os.MkdirTemp("", "kadr-clients-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL runs as another user
		return err
	}
	in, err := start(ctx, kadr, filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.stop()) }()

	photo, err := photograph()
	if err != nil {
		return err
	}
	var told []*story
	for _, language := range languages {
		s := &story{language: language, folder: filepath.Join(stories, language), name: "story-" + language}
		s.err = s.tell(ctx, in, filepath.Join(dir, language+".jpg"), photo)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		told = append(told, s)
	}
	err = in.holds(ctx, told, int64(len(photo)))
	return errors.Join(err, report(told))
}

// photograph is a JPEG of noise, which makes many bytes of few pixels: more than the kernel keeps for a connection, so that
// nobody gets rid of them at once.
func photograph() ([]byte, error) {
	m := image.NewRGBA(image.Rect(0, 0, 3600, 2700))
	_, _ = rand.NewChaCha8([32]byte{}).Read(m.Pix)
	var b bytes.Buffer
	err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 98})
	return b.Bytes(), err
}

// report prints the table.
func report(told []*story) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(table, "language\tgenerator\tlines of story\tgenerated in\ttold in\t")
	var errs []error
	for _, s := range told {
		verdict := ""
		if s.err != nil {
			verdict = "failed"
			errs = append(errs, fmt.Errorf("%s: %w", s.language, s.err))
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\n", s.language, s.generator, s.lines,
			s.generated.Round(100*time.Millisecond), s.toldIn.Round(100*time.Millisecond), verdict)
	}
	return errors.Join(append(errs, table.Flush())...)
}
