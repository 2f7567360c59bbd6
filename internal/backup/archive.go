package backup

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/kadr-app/kadr/internal/blob"
)

// FromFolder restores a backup of the folder dir: that of the given name, or the newest. dir may also be a backup's own
// folder in there. A *RefusedError says what is wrong with the backup, or what is in its way; nothing has been changed then.
func (r *Restorer) FromFolder(ctx context.Context, dir string, opts RestoreOptions) (Manifest, error) {
	root, backup, err := findBackup(dir)
	if err != nil {
		return Manifest{}, err
	}
	m, err := readManifest(backup)
	if err != nil {
		return Manifest{}, err
	}
	for _, t := range m.Tables {
		if err := checkFile(backup, t.File); err != nil {
			return Manifest{}, err
		}
	}
	if err := checkFile(backup, m.Blobs.File); err != nil {
		return Manifest{}, err
	}
	in, err := r.begin(ctx, m, opts)
	if err != nil {
		return Manifest{}, err
	}
	for _, t := range m.Tables {
		if err := withFile(backup, t.Path, func(f *os.File) error { return in.table(ctx, t.Path, f, t.Size) }); err != nil {
			return Manifest{}, err
		}
	}
	if err := withFile(backup, indexName, func(f *os.File) error { return in.list(ctx, f, m.Blobs.Size) }); err != nil {
		return Manifest{}, err
	}
	in.pass("loaded")
	if err := in.keepListed(ctx, root, backup); err != nil {
		return Manifest{}, err
	}
	return m, in.finish(ctx, m)
}

// findBackup returns the folder of all backups and that of the one that is meant.
func findBackup(dir string) (root, backup string, err error) {
	if _, err := os.Stat(filepath.Join(dir, manifestName)); err == nil {
		abs, err := filepath.Abs(dir)
		return filepath.Dir(filepath.Dir(abs)), abs, err
	}
	if _, err := os.Stat(filepath.Join(dir, folderMark)); err != nil {
		return "", "", Refuse("%s is not a folder of Kadr's backups", dir)
	}
	names, err := backupsIn(dir)
	if err != nil {
		return "", "", err
	}
	if len(names) == 0 {
		return "", "", Refuse("%s has no whole backup", dir)
	}
	return dir, filepath.Join(dir, backupsDir, names[len(names)-1]), nil
}

func withFile(dir, name string, do func(*os.File) error) error {
	f, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer f.Close()
	return do(f)
}

// maxNamed is how many damaged files a refusal names.
const maxNamed = 20

// keepListed takes the listed blobs from the folder. It goes on after a damaged one, so that all of them can be named.
func (in *receiving) keepListed(ctx context.Context, root, backup string) error {
	l, err := openList(backup)
	if err != nil {
		return err
	}
	defer l.Close()
	var bad []string
	page := make([]Blob, 0, pageSize)
	for {
		page = page[:0]
		for ; !l.end && len(page) < pageSize; err = l.advance() {
			if err != nil {
				return err
			}
			page = append(page, l.next)
		}
		if err != nil || len(page) == 0 {
			break
		}
		refused := make([]error, len(page))
		group, gctx := errgroup.WithContext(ctx)
		group.SetLimit(folderWorkers)
		for i, b := range page {
			group.Go(func() error {
				err := in.keepFile(gctx, root, b)
				if isRefusal(err) {
					refused[i], err = err, nil
				}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		for _, r := range refused {
			if r != nil {
				bad = append(bad, r.Error())
			}
		}
		if len(bad) > maxNamed {
			break
		}
		if err := in.note(ctx, page, false); err != nil {
			return err
		}
	}
	if err == nil && len(bad) > 0 {
		err = Refuse("the backup cannot be restored, and nothing has been changed:\n%s", strings.Join(bad, "\n"))
	}
	return err
}

func (in *receiving) keepFile(ctx context.Context, root string, b Blob) error {
	name := filepath.Join(root, filepath.FromSlash(blob.Path(b.Ref)))
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Refuse("%s is not there", name)
	}
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() != b.Size {
		return Refuse("%s is damaged: it should be a file of %d bytes", name, b.Size)
	}
	return in.keep(ctx, b.Ref, f, b.Size)
}

// FromStream restores what ToStream wrote. Errors as for FromFolder.
func (r *Restorer) FromStream(ctx context.Context, archive io.Reader, opts RestoreOptions) (Manifest, error) {
	t := tar.NewReader(archive)
	h, err := nextEntry(t)
	if err != nil || h == nil || h.Name != headName {
		return Manifest{}, errors.Join(Refuse("this is not a backup that kadr wrote to its standard output"), err)
	}
	head, err := readSmall(t, h)
	if err != nil {
		return Manifest{}, err
	}
	first, err := decodeHead(head)
	if err != nil {
		return Manifest{}, err
	}
	in, err := r.begin(ctx, first, opts)
	if err != nil {
		return Manifest{}, err
	}
	m, err := in.entries(ctx, t)
	if err != nil {
		return Manifest{}, err
	}
	if m.Schema != first.Schema {
		return Manifest{}, Refuse("%s and %s contradict each other", headName, manifestName)
	}
	return m, in.finish(ctx, m)
}

// entries takes in everything behind the head, up to the manifest. The next file is read while those before are written out
// to the disk.
func (in *receiving) entries(ctx context.Context, t *tar.Reader) (_ Manifest, err error) {
	commits, ctx := errgroup.WithContext(ctx)
	commits.SetLimit(folderWorkers)
	defer func() {
		if failed := commits.Wait(); failed != nil { // then err is only that ctx ended
			err = failed
		}
	}()
	take := func(ref blob.Ref, size int64) error {
		staged, err := in.stage(ctx, ref, t, size)
		if err != nil {
			return err
		}
		commits.Go(func() error {
			defer staged.Discard()
			return in.blobs.Commit(ctx, staged)
		})
		// That it came is noted before it has: if it cannot be kept, nothing of all this counts.
		return in.note(ctx, []Blob{{Ref: ref, Size: size}}, false)
	}
	var manifest []byte
	for {
		h, err := nextEntry(t)
		switch {
		case err != nil:
			return Manifest{}, err
		case h == nil:
			return Manifest{}, Refuse("the archive is cut off: it ends before %s", sumName)
		}
		if manifest != nil {
			if h.Name != sumName {
				return Manifest{}, Refuse("%.200q does not belong behind %s", h.Name, manifestName)
			}
			sum, err := readSmall(t, h)
			if err != nil {
				return Manifest{}, err
			}
			if _, err := t.Next(); !errors.Is(err, io.EOF) {
				return Manifest{}, Refuse("the archive goes on behind its end, or is cut off")
			}
			return decodeManifest(manifest, sum)
		}
		switch ref, perr := blob.ParseRef(path.Base(h.Name)); {
		case perr == nil && h.Name == blob.Path(ref):
			err = take(ref, h.Size)
		case h.Name == indexName:
			err = in.list(ctx, t, h.Size)
		case h.Name == manifestName:
			manifest, err = readSmall(t, h)
		default:
			err = in.table(ctx, h.Name, t, h.Size)
		}
		if err != nil {
			return Manifest{}, cutOff(err, h.Name)
		}
	}
}

// nextEntry returns the next header, or nil at the end. Only plain files are let through: what is no file has no business
// in a backup, and a name is never used as a path here.
func nextEntry(t *tar.Reader) (*tar.Header, error) {
	h, err := t.Next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, Refuse("the archive is cut off")
	case errors.Is(err, tar.ErrHeader), errors.Is(err, tar.ErrFieldTooLong), errors.Is(err, tar.ErrInsecurePath):
		return nil, Refuse("this is not a tar archive, or a damaged one: %v", err)
	case err != nil:
		return nil, fmt.Errorf("backup: read the archive: %w", err)
	case h.Typeflag != tar.TypeReg || h.Size < 0:
		return nil, Refuse("%.200q is not a plain file, and nothing else belongs into a backup", h.Name)
	}
	return h, nil
}

// cutOff names the file in which an archive ends too early.
func cutOff(err error, name string) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return Refuse("the archive is cut off within %s", name)
	}
	return err
}

func readSmall(t *tar.Reader, h *tar.Header) ([]byte, error) {
	if h.Size > maxManifest {
		return nil, Refuse("%s is too large to be true", h.Name)
	}
	text, err := io.ReadAll(t)
	if err != nil {
		return nil, cutOff(fmt.Errorf("backup: read the archive: %w", err), h.Name)
	}
	return text, nil
}
