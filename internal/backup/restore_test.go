package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kadr-app/kadr/internal/backup"
	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/postgres"
	"github.com/kadr-app/kadr/internal/testdb"
)

// refusal returns what a restore that must be refused said.
func refusal(t *testing.T, err error) string {
	t.Helper()
	var refused *backup.RefusedError
	if !errors.As(err, &refused) {
		t.Fatalf("not refused, but: %v", err)
	}
	return err.Error()
}

// TestEverythingComesBack compares every table that is backed up, row by row.
func TestEverythingComesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	all := r.addMany(3)
	r.exec(`UPDATE accounts SET email = E'an\\na\t@example.org'`)
	r.exec(`INSERT INTO sessions (id, account_id, token_hash, user_agent, address, expires_at) VALUES ('s', $1, '\x00ff', E'a\r\nb', '', now())`, anna)
	r.exec(`INSERT INTO api_keys (id, account_id, name, prefix, secret_hash, scopes) VALUES ('k', $1, 'k', 'p', '\x01', '{images:read,"a,b"}')`, anna)
	r.exec(`INSERT INTO invites (code_hash, expires_at) VALUES ('\x02', 'infinity')`)
	r.exec(`INSERT INTO signing_keys (id, key) VALUES (1, decode(repeat('ab', 32), 'hex'))`)
	if err := r.delete(t.Context(), all[2]); err != nil {
		t.Fatal(err)
	}
	// An upload that is under way is not acknowledged, and its reservation is not kept.
	r.exec(`INSERT INTO blobs (ref, size, uploads, reserved_until) VALUES (decode(repeat('cd', 32), 'hex'), 1, 1, now() + interval '1 hour')`)
	r.exec(`UPDATE blobs SET uploads = 1, reserved_until = now() + interval '1 hour' WHERE ref = $1`, all[0].Ref[:])
	dir := t.TempDir()
	r.toFolder(dir, backup.Options{})

	fresh := emptyRig(t, testdb.NewEmpty(t))
	if err := fresh.fromFolder(dir, false); err != nil {
		t.Fatal(err)
	}
	fresh.mustBeClean()
	r.exec(`DELETE FROM blobs WHERE octet_length(ref) = 32 AND ref = decode(repeat('cd', 32), 'hex')`)
	r.exec(`UPDATE blobs SET uploads = 0, reserved_until = '-infinity'`)
	for _, table := range []string{
		"accounts", "account_usage", "sessions", "api_keys", "invites", "signing_keys", "blobs", "images", "deleted_images",
	} {
		rows := func(r *rig) (text string) {
			err := r.sql.Pool.QueryRow(t.Context(), `SELECT count(*) || coalesce(string_agg(x::text, E'\n' ORDER BY x::text), '') FROM `+table+` x`).Scan(&text)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		if want, got := rows(r), rows(fresh); got != want || strings.HasPrefix(want, "0") {
			t.Errorf("%s: got %s\nwant %s", table, got, want)
		}
	}
	if n := fresh.count(`SELECT count(*) FROM pg_namespace WHERE nspname = 'kadr_restore'`); n != 0 {
		t.Error("the place for loading is still there")
	}
	// Triggers and functions are where they belong.
	if err := fresh.delete(t.Context(), all[0]); err != nil {
		t.Errorf("delete a picture: %v", err)
	}
	if id, _, err := r.db.Instance(t.Context()); err != nil || fresh.count(`SELECT count(*) FROM instance WHERE id = $1`, id) != 0 {
		t.Errorf("the copy has the id of the instance that was backed up, whose files it may then be mixed up with (%v)", err)
	}
}

// TestNotEmpty refuses to restore over an instance that has something, and does so when it is told to.
func TestNotEmpty(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.addMany(3)
	dir := t.TempDir()
	r.toFolder(dir, backup.Options{})

	other := newRig(t)
	img := other.add([]byte("another instance's"))
	other.exec(`INSERT INTO variants (ref, name, size) VALUES ($1, 'a', 1)`, img.Ref[:])
	said := refusal(t, other.fromFolder(dir, false))
	for _, word := range []string{"1 accounts", "1 pictures", "the storage has files", "--force"} {
		if !strings.Contains(said, word) {
			t.Errorf("%q is not in: %s", word, said)
		}
	}
	refusal(t, other.fromStream(bytes.NewReader(r.toStream()), false))
	if got, err := other.bytesOf(img.ID); err != nil || string(got) != "another instance's" {
		t.Errorf("refused, and the picture is %q, %v", got, err)
	}
	other.mustBeClean()

	// Only the storage, as after the loss of the database.
	lost := emptyRig(t, testdb.New(t))
	if err := lost.blobs.Claim("somebody"); err != nil {
		t.Fatal(err)
	}
	putBlob(t, lost, []byte("a file"))
	if said := refusal(t, lost.fromFolder(dir, false)); !strings.Contains(said, "storage has files") {
		t.Error(said)
	}
	for _, instance := range []*rig{other, lost} {
		if err := instance.fromFolder(dir, true); err != nil {
			t.Fatal(err)
		}
		instance.mustBeClean()
		if n := instance.count(`SELECT count(*) FROM images`); n != 3 {
			t.Errorf("%d pictures", n)
		}
	}
	if _, err := os.Stat(other.file(img.Ref)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the replaced instance's file: %v", err)
	}
}

func putBlob(t *testing.T, r *rig, content []byte) {
	t.Helper()
	staged, err := r.blobs.Stage(t.Context(), bytes.NewReader(content), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer staged.Discard()
	if err := r.blobs.Commit(t.Context(), staged); err != nil {
		t.Fatal(err)
	}
}

// TestForeignTables are never dropped, whatever is asked for.
func TestForeignTables(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := t.TempDir()
	r.toFolder(dir, backup.Options{})
	other := emptyRig(t, testdb.New(t))
	other.exec(`CREATE TABLE bookkeeping (n int)`)
	if said := refusal(t, other.fromFolder(dir, true)); !strings.Contains(said, "bookkeeping") {
		t.Error(said)
	}
}

// TestOtherVersions restores what an older kadr wrote, refuses what a newer one wrote, and replaces a newer one's database,
// as after an upgrade that did not go well.
func TestOtherVersions(t *testing.T) {
	t.Parallel()
	older := emptyRig(t, migratedTo(t, 1))
	older.open()
	older.exec(`INSERT INTO accounts (id, name, role, password_hash) VALUES ($1, 'anna', 'member', '')`, anna)
	older.exec(`INSERT INTO account_usage (account_id) VALUES ($1)`, anna)
	older.exec(`CREATE TABLE signing_keys (id integer, key bytea, created_at timestamptz)`) // which that kadr does not dump
	img := older.add([]byte("an old picture"))
	dir := t.TempDir()
	r := newRig(t)
	r.addMany(1)
	newer := t.TempDir()
	for version, to := range map[int64]string{1: dir, schema() + 1: newer} {
		from := older
		if version > schema() {
			from = r
			r.exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, true)`, version)
			r.exec(`CREATE TABLE albums (id text PRIMARY KEY, account text REFERENCES accounts (id))`)
			r.exec(`CREATE FUNCTION images_added() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`)
		}
		store := postgres.NewBackupStore(from.db)
		defer store.Release()
		s := backup.New(store, from.blobs, backup.Program{Version: "v9", Schema: version})
		if err := s.ToFolder(t.Context(), to, backup.Options{}, func(backup.Report) error { return nil }); err != nil {
			t.Fatal(err)
		}
		store.Release()
	}
	dropTable(t, dir, "signing_keys")

	fresh := emptyRig(t, testdb.NewEmpty(t))
	said := refusal(t, fresh.fromFolder(newer, false))
	if !strings.Contains(said, fmt.Sprintf("version %d", schema()+1)) || !strings.Contains(said, fmt.Sprintf("up to %d", schema())) ||
		!strings.Contains(said, "v9") {
		t.Errorf("both versions should be named: %s", said)
	}
	if err := fresh.fromFolder(dir, false); err != nil {
		t.Fatal(err)
	}
	fresh.mustBeClean()
	if got, err := fresh.bytesOf(img.ID); err != nil || string(got) != "an old picture" {
		t.Errorf("%q, %v", got, err)
	}
	if n := fresh.count(`SELECT max(version_id) FROM goose_db_version`); n != schema() {
		t.Errorf("the schema has version %d", n)
	}

	if said := refusal(t, r.fromFolder(dir, false)); !strings.Contains(said, "newer kadr") {
		t.Error(said)
	}
	if err := r.fromFolder(dir, true); err != nil {
		t.Fatal(err)
	}
	if n := r.count(`SELECT count(*) FROM pg_tables WHERE tablename = 'albums'`); n != 0 {
		t.Error("the newer kadr's tables are still there")
	}
	r.mustBeClean()
}

// dropTable takes a table out of the only backup of a folder, as if it had never been in it.
func dropTable(t *testing.T, dir, name string) {
	t.Helper()
	rewriteManifest(t, dir, func(m *backup.Manifest) {
		for i := range m.Tables {
			if m.Tables[i].Name == name {
				m.Tables = append(m.Tables[:i], m.Tables[i+1:]...)
				return
			}
		}
	})
}

// theBackup is the folder of the only backup in dir.
func theBackup(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "backups", "2*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("backups: %v, %v", found, err)
	}
	return found[0]
}

// TestInterrupted ends a restore over an instance between any two steps, by a panic that nobody expects, and looks what is
// there. What is there is the old instance or the new one, and another restore comes to its end.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	source := newRig(t)
	source.addMany(3)
	dir := t.TempDir()
	source.toFolder(dir, backup.Options{})
	for step, replaced := range map[string]bool{"loaded": false, "checked": false, "claimed": false, "replaced": true} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			img := r.add([]byte("the old one"))
			interrupted := errors.New("interrupted")
			err := func() (err error) {
				defer func() {
					if p := recover(); p != nil {
						err = p.(error)
					}
				}()
				return r.restore(func(b *backup.Restorer) error {
					_, err := b.FromFolder(t.Context(), dir, backup.RestoreOptions{Force: true})
					return err
				}, func(at string) {
					if at == step {
						panic(interrupted)
					}
				})
			}()
			if !errors.Is(err, interrupted) {
				t.Fatal(err)
			}
			got, err := r.bytesOf(img.ID)
			if old := err == nil && string(got) == "the old one"; old == replaced {
				t.Errorf("the old instance's picture: %q, %v", got, err)
			}
			want := int64(1)
			if replaced {
				want = 3
			}
			if n := r.count(`SELECT count(*) FROM images`); n != want {
				t.Errorf("%d pictures", n)
			}
			for _, f := range r.findings() {
				if f.Kind != "orphan" { // of the other instance, and in nobody's way
					t.Error(f)
				}
			}
			if err := r.fromFolder(dir, true); err != nil {
				t.Fatal(err)
			}
			r.mustBeClean()
		})
	}
}

// TestServerIsSeen keeps a restore off a database that somebody serves from, and a server off one that is restored.
func TestServerIsSeen(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, stop := context.WithCancel(t.Context())
	heard := make(listening, 1)
	done := make(chan struct{})
	go func() { defer close(done); r.db.Listen(ctx, heard) }()
	<-heard
	if _, err := postgres.OpenRestore(t.Context(), r.sql.URL); !errors.Is(err, postgres.ErrServing) {
		t.Errorf("beside a server: %v", err)
	}
	stop()
	<-done
	target, err := postgres.OpenRestore(t.Context(), r.sql.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.db.CheckServing(t.Context()); !errors.Is(err, postgres.ErrRestoring) {
		t.Errorf("a server beside a restore: %v", err)
	}
	target.Close()
	if err := r.db.CheckServing(t.Context()); err != nil {
		t.Error(err)
	}

	release, err := r.blobs.Share()
	if err != nil {
		t.Fatal(err)
	}
	same, err := blob.OpenDir(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := same.Seize(); !errors.Is(err, blob.ErrInUse) {
		t.Errorf("a storage that a server uses: %v", err)
	}
	release()
	if release, err = same.Seize(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.blobs.Share(); !errors.Is(err, blob.ErrInUse) {
		t.Errorf("a storage that is restored: %v", err)
	}
	release()
}

// listening hears that it listens.
type listening chan struct{}

func (listening) Changed([]string) {}
func (listening) ChangedAll()      {}
func (listening) KeysChanged()     {}
func (listening) Lost()            {}
func (l listening) Restored()      { l <- struct{}{} }
