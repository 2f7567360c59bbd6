package variant

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/kadr-app/kadr/internal/imaging"
)

// renderUnkept is render for a storage that is full: what is made goes to those who wait for it and is then forgotten. So
// pictures can be looked at as long as the disk is full, at the price of making them each time.
func (t *task) renderUnkept(ctx context.Context, from *os.File, jobs []*job, reduced bool) error {
	var wanted, masters []*job
	for _, j := range jobs {
		if j.master {
			masters = append(masters, j)
		} else {
			wanted = append(wanted, j)
		}
	}
	if len(wanted) > 0 {
		files := make([]*os.File, len(wanted))
		for i := range wanted {
			f, err := imaging.NewScratch()
			if err != nil {
				return err
			}
			defer f.Close()
			files[i] = f
		}
		if _, err := t.decoders.Render(ctx, from, t.request(wanted, files, reduced)); err != nil {
			return err
		}
		for i, j := range wanted {
			content, err := contentOf(files[i])
			if err != nil {
				t.giveUp([]*job{j}, err)
				continue
			}
			j.unkept = content
			t.release([]*job{j})
			t.finish(j, nil)
		}
	}
	if len(masters) > 0 { // nobody looks at one
		t.giveUp(masters, errAgain)
	}
	return nil
}

func contentOf(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("variant: read what was made: %w", err)
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, info.Size()))
	if err != nil {
		return nil, fmt.Errorf("variant: read what was made: %w", err)
	}
	return b, nil
}

// openUnkept returns what was made without being kept, as a file of its own in memory.
func openUnkept(content []byte) (*File, error) {
	f, err := imaging.NewScratch()
	if err != nil {
		return nil, err
	}
	if _, err = f.Write(content); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("variant: open what was made: %w", err), f.Close())
	}
	sum := sha256.Sum256(content)
	return &File{File: f, Size: int64(len(content)), Digest: [16]byte(sum[:16])}, nil
}
