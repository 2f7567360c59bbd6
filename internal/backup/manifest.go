package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/kadr-app/kadr/internal/blob"
)

const (
	kind = "kadr-backup"
	// format is the version of the archive's own layout.
	format = 1

	headName     = "kadr-backup.json" // in a stream: what comes
	manifestName = "manifest.json"
	sumName      = "manifest.sha256" // for `sha256sum -c`, and the last file of all
	indexName    = "blobs.zst"
	// maxFaults is how many faults are named, and maxManifest how many bytes of a manifest are read, which is more.
	maxFaults, maxManifest = 10_000, 8 << 20
)

func tableFile(name string) string { return "tables/" + name + ".zst" }

// Manifest says what is in a backup, with the SHA-256 of every file in it.
type Manifest struct {
	Kind   string `json:"kind"`
	Format int    `json:"format"`
	Kadr   string `json:"kadr"`   // version of the program that wrote it
	Schema int64  `json:"schema"` // version of the database's schema

	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at"`
	// CompleteUntil is a time, by the database's clock: what was acknowledged before it is in the backup.
	CompleteUntil time.Time `json:"complete_until"`

	Tables []DumpedTable `json:"tables"` // in an order in which they can be loaded
	Blobs  Index         `json:"blobs"`
	// Missing is how many files that pictures need are not in the backup, because they were gone or damaged, and Faults are
	// the first of them.
	Missing int64   `json:"missing"`
	Faults  []Fault `json:"faults,omitempty"`
}

// DumpedTable is a table's file.
type DumpedTable struct {
	Table
	File
	Rows int64 `json:"rows"`
}

// Index is the file that lists the blobs: a line for each, in order, with its SHA-256 and its size.
type Index struct {
	File
	Count int64 `json:"count"`
	Bytes int64 `json:"bytes"` // of all blobs
}

// File is a compressed file of the backup.
type File struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`   // bytes, as it lies there
	Raw    int64  `json:"raw"`    // bytes when it is unpacked
	SHA256 string `json:"sha256"` // of the file as it lies there
}

// Fault is a file that could not be backed up.
type Fault struct {
	Ref    blob.Ref `json:"sha256"`
	Path   string   `json:"path"` // below the storage's folder
	Reason string   `json:"reason"`
}

// encode returns the manifest and the file with its sum.
func (m Manifest) encode() (text, sum []byte, err error) {
	if text, err = json.MarshalIndent(m, "", "  "); err != nil {
		return nil, nil, fmt.Errorf("backup: write the manifest: %w", err)
	}
	text = append(text, '\n')
	hash := sha256.Sum256(text)
	return text, fmt.Appendf(nil, "%x  %s\n", hash, manifestName), nil
}

// decodeManifest reads what encode wrote, and nothing else.
func decodeManifest(text, sum []byte) (Manifest, error) {
	hash := sha256.Sum256(text)
	if want := fmt.Sprintf("%x  %s\n", hash, manifestName); string(sum) != want {
		return Manifest{}, Refuse("%s was altered: its SHA-256 is not the one in %s", manifestName, sumName)
	}
	m, err := decodeHead(text)
	if err != nil {
		return Manifest{}, err
	}
	return m, m.check()
}

// decodeHead reads a manifest of which perhaps only the first part is known yet.
func decodeHead(text []byte) (Manifest, error) {
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&m); err != nil || m.Kind != kind {
		return Manifest{}, Refuse("this is not a backup of Kadr's: %s does not say so", manifestName)
	}
	if _, err := d.Token(); err != io.EOF {
		return Manifest{}, Refuse("%s has something behind its end", manifestName)
	}
	if m.Format != format {
		return Manifest{}, Refuse("the backup was written by kadr %s in format %d, and this kadr reads format %d: use that kadr",
			m.Kadr, m.Format, format)
	}
	return m, nil
}

// identifier is what a table or a column of Kadr's may be called.
var identifier = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// check returns an error when the manifest names what no backup has.
func (m Manifest) check() error {
	seen := map[string]bool{}
	for _, t := range m.Tables {
		for _, name := range append([]string{t.Name}, t.Columns...) {
			if !identifier.MatchString(name) {
				return Refuse("%s names a table or column %.80q", manifestName, name)
			}
		}
		if seen[t.Name] || len(t.Columns) == 0 || t.Rows < 0 {
			return Refuse("%s contradicts itself about the table %s", manifestName, t.Name)
		}
		seen[t.Name] = true
		if err := t.File.check(tableFile(t.Name)); err != nil {
			return err
		}
	}
	if m.Blobs.Count < 0 || m.Blobs.Bytes < 0 || m.Missing < 0 || m.Schema < 1 {
		return Refuse("%s has numbers below zero", manifestName)
	}
	return m.Blobs.File.check(indexName)
}

// maxRatio is how much smaller than its contents a file may be: text like ours shrinks to a fifth, rows that are all alike
// to a hundredth, and what claims more is meant to fill somebody's disk. It does not count for the first megabytes.
const maxRatio, maxRatioFree = 1000, 16 << 20

func (f File) check(path string) error {
	sum, err := hex.DecodeString(f.SHA256)
	switch {
	case f.Path != path:
		return Refuse("%s has %.80q where %s belongs", manifestName, f.Path, path)
	case err != nil || len(sum) != sha256.Size || f.Size < 0 || f.Raw < 0:
		return Refuse("%s says nothing sensible of %s", manifestName, path)
	case f.Raw > maxRatioFree && f.Raw/maxRatio > f.Size:
		return Refuse("%s would unpack from %d to %d bytes, which no backup does", path, f.Size, f.Raw)
	}
	return nil
}

// RefusedError says why an archive was not taken. Its text is for the operator.
type RefusedError struct{ text string }

// Error implements error.
func (e *RefusedError) Error() string { return e.text }

// Refuse returns a *RefusedError.
func Refuse(format string, args ...any) error { return &RefusedError{fmt.Sprintf(format, args...)} }
