package backup_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/kadr-app/kadr/internal/backup"
	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/testdb"
)

// rewriteManifest changes the manifest of the only backup in dir, with a sum that fits.
func rewriteManifest(t *testing.T, dir string, change func(*backup.Manifest)) {
	t.Helper()
	folder := theBackup(t, dir)
	text, err := os.ReadFile(filepath.Join(folder, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m backup.Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	change(&m)
	text, sum, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "manifest.json"), text)
	write(t, filepath.Join(folder, "manifest.sha256"), sum)
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func pack(t *testing.T, raw []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil, zstd.WithWindowSize(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(raw, nil)
}

// TestTamperedFolder has every way in which a folder of backups may be wrong; each is refused with the file's name, and
// nothing has been changed.
func TestTamperedFolder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	all := r.addMany(2)
	// replace puts another file in the place of a table's, and says so in the manifest.
	replace := func(t *testing.T, dir, table string, packed []byte, raw int64) {
		write(t, filepath.Join(theBackup(t, dir), "tables", table+".zst"), packed)
		rewriteManifest(t, dir, func(m *backup.Manifest) {
			for i := range m.Tables {
				if sum := sha256.Sum256(packed); m.Tables[i].Name == table {
					m.Tables[i].Size, m.Tables[i].Raw, m.Tables[i].SHA256 = int64(len(packed)), raw, hex.EncodeToString(sum[:])
				}
			}
		})
	}
	image := blob.Path(all[0].Ref)
	for name, test := range map[string]struct {
		tamper func(t *testing.T, dir string)
		says   string
	}{
		"a picture is damaged": {func(t *testing.T, dir string) { damage(t, filepath.Join(dir, image)) }, image},
		"a picture is cut off": {func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, image), 3); err != nil {
				t.Fatal(err)
			}
		}, image},
		"a picture is gone": {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, image)) }, image},
		"a table is damaged": {func(t *testing.T, dir string) {
			damage(t, filepath.Join(theBackup(t, dir), "tables", "images.zst"))
		}, "tables/images.zst"},
		"a table is gone":     {func(t *testing.T, dir string) { remove(t, filepath.Join(theBackup(t, dir), "tables", "blobs.zst")) }, "tables/blobs.zst"},
		"the list is damaged": {func(t *testing.T, dir string) { damage(t, filepath.Join(theBackup(t, dir), "blobs.zst")) }, "blobs.zst"},
		"the manifest is altered": {func(t *testing.T, dir string) {
			path := filepath.Join(theBackup(t, dir), "manifest.json")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, bytes.Replace(text, []byte(`"missing": 0`), []byte(`"missing": 1`), 1))
		}, "manifest.json was altered"},
		"the manifest is gone": {func(t *testing.T, dir string) { remove(t, filepath.Join(theBackup(t, dir), "manifest.json")) }, "manifest.json is not there"},
		"a table is left out":  {func(t *testing.T, dir string) { dropTable(t, dir, "images") }, "no table images"},
		"a table is made up": {func(t *testing.T, dir string) {
			rewriteManifest(t, dir, func(m *backup.Manifest) { m.Tables[0].Name = "../../x" })
		}, "../../x"},
		"a file lies elsewhere": {func(t *testing.T, dir string) {
			rewriteManifest(t, dir, func(m *backup.Manifest) { m.Tables[0].Path = "/etc/passwd" })
		}, "/etc/passwd"},
		"no picture is listed": {func(t *testing.T, dir string) {
			rewriteManifest(t, dir, func(m *backup.Manifest) { m.Blobs.Count = 7 })
		}, "contradict"},
		"another program's":  {func(t *testing.T, dir string) { rewriteManifest(t, dir, func(m *backup.Manifest) { m.Kind = "x" }) }, "not a backup of Kadr's"},
		"a later format":     {func(t *testing.T, dir string) { rewriteManifest(t, dir, func(m *backup.Manifest) { m.Format = 2 }) }, "format 2"},
		"rows that are none": {func(t *testing.T, dir string) { replace(t, dir, "accounts", pack(t, []byte("x\ty\n")), 4) }, "table accounts"},
		"rows that contradict": {func(t *testing.T, dir string) {
			row := []byte("nobody\t1\t1\t\\N\n")
			replace(t, dir, "account_usage", pack(t, row), int64(len(row)))
		}, "table account_usage"},
		"a bomb that says so": {func(t *testing.T, dir string) {
			zeros := make([]byte, 64<<20)
			replace(t, dir, "invites", pack(t, zeros), int64(len(zeros)))
		}, "tables/invites.zst would unpack"},
		"a bomb that does not":  {func(t *testing.T, dir string) { replace(t, dir, "invites", pack(t, make([]byte, 64<<20)), 10) }, "invites"},
		"not a compressed file": {func(t *testing.T, dir string) { replace(t, dir, "invites", []byte("rows"), 4) }, "tables/invites.zst cannot be unpacked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r.toFolder(dir, backup.Options{})
			test.tamper(t, dir)
			fresh := emptyRig(t, testdb.New(t))
			if said := refusal(t, fresh.fromFolder(dir, false)); !strings.Contains(said, test.says) {
				t.Errorf("%q is not in: %s", test.says, said)
			}
			if n := fresh.count(`SELECT count(*) FROM accounts`); n != 0 {
				t.Error("something was restored")
			}
			if owner, err := fresh.blobs.Owner(); err != nil || owner != "" {
				t.Errorf("somebody has claimed the storage: %q, %v", owner, err)
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// entry is a file of a tar.
type entry struct {
	header  tar.Header
	content []byte
}

func readTar(t *testing.T, archive []byte) (entries []entry) {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry{*h, content})
	}
}

func writeTar(t *testing.T, entries []entry) []byte {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, e := range entries {
		if err := w.WriteHeader(&e.header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

// TestTamperedStream has what a tar may hold besides a backup.
func TestTamperedStream(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.addMany(2)
	whole := r.toStream()
	plain := func(name string, content []byte) entry {
		return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: 0o600}, content}
	}
	insert := func(more ...entry) func(*testing.T, []entry) []byte {
		return func(t *testing.T, all []entry) []byte {
			return writeTar(t, append(append(append([]entry{}, all[0]), more...), all[1:]...))
		}
	}
	without := func(name string) func(*testing.T, []entry) []byte {
		return func(t *testing.T, all []entry) []byte {
			var kept []entry
			for _, e := range all {
				if !strings.HasPrefix(e.header.Name, name) {
					kept = append(kept, e)
				}
			}
			return writeTar(t, kept)
		}
	}
	cut := func(left int) func(*testing.T, []entry) []byte {
		return func(*testing.T, []entry) []byte { return whole[:left] }
	}
	zeros := blob.Path(blob.Ref{})
	for name, test := range map[string]struct {
		tamper func(*testing.T, []entry) []byte
		says   string
	}{
		"a path that leads out":     {insert(plain("../../../tmp/x", []byte("x"))), "../../../tmp/x"},
		"an absolute path":          {insert(plain("/etc/passwd", []byte("x"))), "/etc/passwd"},
		"a blob under another name": {insert(plain(zeros, []byte("x"))), zeros},
		"a blob elsewhere":          {insert(plain("x/"+zeros, []byte("x"))), zeros},
		"a link":                    {insert(entry{header: tar.Header{Typeflag: tar.TypeSymlink, Name: zeros, Linkname: "/etc/passwd"}}), "not a plain file"},
		"a hard link":               {insert(entry{header: tar.Header{Typeflag: tar.TypeLink, Name: zeros, Linkname: "/etc/passwd"}}), "not a plain file"},
		"a folder":                  {insert(entry{header: tar.Header{Typeflag: tar.TypeDir, Name: "blobs/"}}), "not a plain file"},
		"a device":                  {insert(entry{header: tar.Header{Typeflag: tar.TypeChar, Name: "null"}}), "not a plain file"},
		"a table of its own":        {insert(plain("tables/pg_authid.zst", []byte("x"))), "pg_authid"},
		"a table twice": {func(t *testing.T, all []entry) []byte {
			for i, e := range all {
				if e.header.Name == "tables/accounts.zst" {
					return writeTar(t, append(all[:i+1:i+1], all[i:]...))
				}
			}
			return nil
		}, "twice"},
		"the list twice": {func(t *testing.T, all []entry) []byte {
			n := len(all) - 3
			return writeTar(t, append(all[:n+1:n+1], all[n:]...))
		}, "twice"},
		"a huge manifest":          {insert(plain("manifest.json", make([]byte, 9<<20))), "too large"},
		"a picture is left out":    {without("blobs/"), "not in the archive"},
		"a table is left out":      {without("tables/images"), "tables/images.zst is not in the archive"},
		"the head is left out":     {without("kadr-backup"), "not a backup that kadr wrote"},
		"the manifest is left out": {without("manifest"), "cut off"},
		"something behind the end": {func(t *testing.T, all []entry) []byte { return writeTar(t, append(all, plain("x", nil))) }, "behind its end"},
		"cut off in a picture":     {cut(2100), "cut off"},
		"cut off in the middle":    {cut(len(whole) / 2), ""},
		"cut off before its end":   {cut(len(whole) - 1536), "cut off"},
		"nothing at all":           {cut(0), "not a backup"},
		"not a tar":                {func(*testing.T, []entry) []byte { return bytes.Repeat([]byte("kadr"), 1000) }, "not a tar"},
		"a size that cannot be true": {func(t *testing.T, all []entry) []byte {
			archive := writeTar(t, all[:1])
			var more bytes.Buffer
			w := tar.NewWriter(&more)
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: zeros, Size: 1 << 50, Format: tar.FormatPAX}); err != nil {
				t.Fatal(err)
			}
			return append(archive[:len(archive)-1024], more.Bytes()...)
		}, "cut off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fresh := emptyRig(t, testdb.New(t))
			archive := test.tamper(t, readTar(t, whole))
			if said := refusal(t, fresh.fromStream(bytes.NewReader(archive), false)); !strings.Contains(said, test.says) {
				t.Errorf("%q is not in: %s", test.says, said)
			}
			if n := fresh.count(`SELECT count(*) FROM accounts`); n != 0 {
				t.Error("something was restored")
			}
			if name != "cut off in the middle" {
				return
			}
			// Where it was refused it can be tried again, with the right one.
			if err := fresh.fromStream(bytes.NewReader(whole), false); err != nil {
				t.Error(err)
			}
			fresh.mustBeClean()
		})
	}
}
