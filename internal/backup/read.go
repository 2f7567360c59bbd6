package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

// unpacker reads a compressed file that nobody vouches for yet, within bounds, and then says what it was.
type unpacker struct {
	path string
	z    *zstd.Decoder
	in   *hashedReader
	raw  int64
	err  error
}

// unpack begins to read a compressed file of the given size. Its memory is bounded whatever the file says.
func unpack(r io.Reader, path string, size int64) (*unpacker, error) {
	u := &unpacker{path: path, in: &hashedReader{r: io.LimitReader(r, size), hash: sha256.New()}}
	var err error
	u.z, err = zstd.NewReader(u.in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(packWindow))
	if err != nil {
		return nil, Refuse("%s cannot be unpacked: %v", path, err)
	}
	return u, nil
}

func (u *unpacker) Read(p []byte) (int, error) {
	if u.err != nil {
		return 0, u.err
	}
	n, err := u.z.Read(p)
	u.raw += int64(n)
	switch {
	case u.raw > maxRatioFree && u.raw/maxRatio > u.in.n:
		err = Refuse("%s unpacks to more than any backup does", u.path)
	case err != nil && err != io.EOF: //nolint:errorlint // a decoder returns it bare
		err = Refuse("%s cannot be unpacked: %v", u.path, err)
	}
	u.err = err
	return n, err
}

// file says what was read, once all of it was.
func (u *unpacker) file() File {
	return File{Path: u.path, Size: u.in.n, Raw: u.raw, SHA256: hex.EncodeToString(u.in.hash.Sum(nil))}
}

func (u *unpacker) close() { u.z.Close() }

// hashedReader hashes and counts what is read through it.
type hashedReader struct {
	r    io.Reader
	hash hash.Hash
	n    int64
}

func (h *hashedReader) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.hash.Write(p[:n])
	h.n += int64(n)
	return n, err
}

// readManifest reads and checks the manifest of the backup in a folder.
func readManifest(backup string) (Manifest, error) {
	var texts [2][]byte
	for i, name := range []string{manifestName, sumName} {
		f, err := os.Open(filepath.Join(backup, name))
		if errors.Is(err, fs.ErrNotExist) {
			return Manifest{}, Refuse("%s is not a whole backup: %s is not there", backup, name)
		}
		if err != nil {
			return Manifest{}, err
		}
		texts[i], err = io.ReadAll(io.LimitReader(f, maxManifest))
		if err = errors.Join(err, f.Close()); err != nil {
			return Manifest{}, err
		}
	}
	return decodeManifest(texts[0], texts[1])
}

// checkFile compares a file with what the manifest says of it.
func checkFile(backup string, want File) error {
	path := filepath.Join(backup, filepath.FromSlash(want.Path))
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Refuse("%s is not there", path)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return Refuse("%s cannot be read: %v", path, err)
	}
	if n != want.Size || hex.EncodeToString(h.Sum(nil)) != want.SHA256 {
		return Refuse("%s is damaged: its bytes are not those that were written", path)
	}
	return nil
}
