package backup_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/backup"
	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/image"
	"github.com/kadr-app/kadr/internal/postgres"
	"github.com/kadr-app/kadr/internal/testdb"
)

// TestUnderLoad backs up while pictures come and go, into a folder and into a tar, and restores elsewhere. What was
// acknowledged before the end has to be there to the byte, and what was deleted must not.
func TestUnderLoad(t *testing.T) {
	t.Parallel()
	for name, stream := range map[string]bool{"folder": false, "stream": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			load := startLoad(r)
			var tar bytes.Buffer
			folder := t.TempDir()
			var before map[string]*kept
			done := func(report backup.Report) error {
				// This is the end of the backup: writes wait.
				before = load.snapshot()
				acknowledged := load.acknowledged.Load()
				time.Sleep(100 * time.Millisecond)
				if n := load.acknowledged.Load() - acknowledged; n > 0 {
					t.Errorf("%d writes were acknowledged after the end", n)
				}
				if age := time.Since(report.Until); age > time.Minute || age < -time.Minute {
					t.Errorf("complete until %s", report.Until)
				}
				return nil
			}
			s, release := r.backups()
			s.EachPass(func(n int) {
				from := load.acknowledged.Load()
				for deadline := time.Now().Add(10 * time.Second); load.acknowledged.Load() < from+60; time.Sleep(time.Millisecond) {
					if time.Now().After(deadline) {
						t.Error("nothing is going on")
						return
					}
				}
			})
			var err error
			opts := backup.Options{Hold: 10 * time.Second}
			if stream {
				err = s.ToStream(t.Context(), &tar, t.TempDir(), opts, done)
			} else {
				err = s.ToFolder(t.Context(), folder, opts, done)
			}
			release()
			load.stop()
			if err != nil {
				t.Fatal(err)
			}

			fresh := emptyRig(t, testdb.NewEmpty(t))
			if stream {
				err = fresh.fromStream(&tar, false)
			} else {
				err = fresh.fromFolder(folder, false)
			}
			if err != nil {
				t.Fatal(err)
			}
			fresh.mustBeClean()
			var stayed, gone int
			for id, k := range before {
				got, err := fresh.bytesOf(id)
				switch {
				case k.state == deleted && !errors.Is(err, image.ErrGone):
					t.Errorf("%s was deleted before the end: %v", id, err)
				case k.state == living && (err != nil || !bytes.Equal(got, k.content)):
					t.Errorf("%s was acknowledged before the end: %v", id, err)
				}
				if k.state == living {
					stayed++
				} else {
					gone++
				}
			}
			if stayed < 30 || gone < 5 {
				t.Errorf("%d pictures and %d deletions are not much of a load", stayed, gone)
			}
		})
	}
}

const (
	living = iota
	deleting
	deleted
)

type kept struct {
	content []byte
	state   int
}

// load is uploaders and deleters.
type load struct {
	acknowledged atomic.Int64
	stopped      atomic.Bool
	workers      sync.WaitGroup

	mu   sync.Mutex
	kept map[string]*kept
}

func startLoad(r *rig) *load {
	l := &load{kept: map[string]*kept{}}
	for i := range 4 {
		rng := rand.New(rand.NewPCG(uint64(i), 7))
		l.workers.Go(func() {
			var own []image.Image
			for !l.stopped.Load() {
				content := randomBytes(rng, 100+rng.IntN(20_000))
				img, err := r.upload(r.t.Context(), content)
				if err != nil {
					r.t.Errorf("upload: %v", err)
					return
				}
				l.note(img.ID, &kept{content: content})
				if own = append(own, img); rng.IntN(3) > 0 {
					continue
				}
				n := rng.IntN(len(own))
				img = own[n]
				own = append(own[:n], own[n+1:]...)
				l.note(img.ID, &kept{content: l.get(img.ID).content, state: deleting})
				if err := r.delete(r.t.Context(), img); err != nil {
					r.t.Errorf("delete: %v", err)
					return
				}
				l.note(img.ID, &kept{state: deleted})
			}
		})
	}
	return l
}

func (l *load) note(id string, k *kept) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept[id] = k
	if k.state != deleting {
		l.acknowledged.Add(1)
	}
}

func (l *load) get(id string) *kept {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kept[id]
}

// snapshot returns what was acknowledged until now.
func (l *load) snapshot() map[string]*kept {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[string]*kept, len(l.kept))
	for id, k := range l.kept {
		all[id] = k
	}
	return all
}

func (l *load) stop() {
	l.stopped.Store(true)
	l.workers.Wait()
}

// TestHoldIsBounded has a backup whose end takes longer than writes may wait.
func TestHoldIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.addMany(2)
	uploaded := make(chan image.Image)
	s, _ := r.backups()
	err := s.ToFolder(t.Context(), t.TempDir(), backup.Options{Hold: 50 * time.Millisecond}, func(report backup.Report) error {
		start := time.Now()
		go func() {
			img, err := r.upload(t.Context(), []byte("waits"))
			if err != nil {
				t.Error(err)
			}
			uploaded <- img
		}()
		select {
		case <-uploaded:
		case <-time.After(10 * time.Second):
			t.Error("an upload waits for ever")
		}
		if waited := time.Since(start); waited > 5*time.Second {
			t.Errorf("it has waited %s", waited)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRemovalsAreHeldOff has a picture deleted between the snapshot and the copying of its file.
func TestRemovalsAreHeldOff(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	img := r.add([]byte("about to go"))
	dir := t.TempDir()
	s, release := r.backups()
	err := s.ToFolder(t.Context(), dir, backup.Options{}, func(backup.Report) error {
		if err := r.delete(t.Context(), img); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(r.file(img.Ref)); err != nil {
			t.Errorf("its bytes were removed under the backup: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	release()
	removed, err := r.images.RemoveBlob(t.Context(), img.Ref, func(ctx context.Context) error { return r.blobs.Remove(ctx, img.Ref) })
	if err != nil || !removed {
		t.Errorf("they are not removed afterwards: %t, %v", removed, err)
	}
}

// TestIncremental has the second backup copy what is new, and old ones go.
func TestIncremental(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.addMany(5)
	dir := filepath.Join(t.TempDir(), "new", "backups")
	if got := r.toFolder(dir, backup.Options{}); got.NewFiles != 5 || got.Manifest.Blobs.Count != 5 {
		t.Errorf("the first: %+v", got)
	}
	stat := func(ref blob.Ref) fs.FileInfo {
		info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(blob.Path(ref))))
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	before := stat(first[0].Ref)
	if err := r.delete(t.Context(), first[4]); err != nil {
		t.Fatal(err)
	}
	more := r.add([]byte("one more"))
	got := r.toFolder(dir, backup.Options{})
	if got.NewFiles != 1 || got.NewBytes != 8 || got.Manifest.Blobs.Count != 5 {
		t.Errorf("the second: %+v", got)
	}
	if !os.SameFile(before, stat(first[0].Ref)) {
		t.Error("a file was written again")
	}
	stat(first[4].Ref) // the first backup needs it

	// A damaged file of the right size is noticed when it is looked for.
	path := filepath.Join(dir, filepath.FromSlash(blob.Path(first[1].Ref)))
	damage(t, path)
	if got := r.toFolder(dir, backup.Options{Verify: true}); got.NewFiles != 1 {
		t.Errorf("with verify: %d files were copied", got.NewFiles)
	}

	got = r.toFolder(dir, backup.Options{Keep: 1})
	names, err := os.ReadDir(filepath.Join(dir, "backups"))
	if err != nil || len(names) != 1 || names[0].Name() != got.Name {
		t.Errorf("kept: %v, %v", names, err)
	}
	stat(more.Ref)
	if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(blob.Path(first[4].Ref)))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what no backup needs is still there: %v", err)
	}
	fresh := emptyRig(t, testdb.NewEmpty(t))
	if err := fresh.fromFolder(dir, false); err != nil {
		t.Fatal(err)
	}
	fresh.mustBeClean()

	// Nobody else may look into it.
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// damage turns over the first byte of a file.
func damage(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[0] ^= 0xff
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestFolderOfSomebodyElse must be left alone, above all the storage, whose files lie as those of a backup do.
func TestFolderOfSomebodyElse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	img := r.add([]byte("mine"))
	s, _ := r.backups()
	err := s.ToFolder(t.Context(), r.dir, backup.Options{Keep: 1}, func(backup.Report) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "folder of Kadr's backups") {
		t.Errorf("the storage as a folder of backups: %v", err)
	}
	if _, err := os.Stat(r.file(img.Ref)); err != nil {
		t.Error(err)
	}
}

// TestTwoAtOnce keeps two backups out of one folder.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := t.TempDir()
	s, _ := r.backups()
	err := s.ToFolder(t.Context(), dir, backup.Options{}, func(backup.Report) error {
		other, _ := r.backups()
		err := other.ToFolder(t.Context(), dir, backup.Options{}, func(backup.Report) error { return nil })
		if !errors.Is(err, backup.ErrBusy) {
			t.Errorf("a second backup: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFaults backs up what is there, and says what is not.
func TestFaults(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	all := r.addMany(4)
	if err := os.Remove(r.file(all[0].Ref)); err != nil {
		t.Fatal(err)
	}
	damage(t, r.file(all[1].Ref))
	r.exec(`UPDATE blobs SET lost_at = now() WHERE ref = $1 OR ref = $2`, all[0].Ref[:], all[2].Ref[:]) // the last one was found again
	dir := t.TempDir()
	report := r.toFolder(dir, backup.Options{})
	if m := report.Manifest; m.Missing != 2 || len(m.Faults) != 2 || m.Blobs.Count != 2 {
		t.Fatalf("missing: %d, %v", m.Missing, m.Faults)
	}
	reasons := map[blob.Ref]string{all[0].Ref: "not there", all[1].Ref: "not those"}
	for _, f := range report.Manifest.Faults {
		if !strings.Contains(f.Reason, reasons[f.Ref]) || f.Path != blob.Path(f.Ref) {
			t.Errorf("%+v", f)
		}
	}
	for name, restore := range map[string]func(*rig) error{
		"folder": func(fresh *rig) error { return fresh.fromFolder(dir, false) },
		"stream": func(fresh *rig) error { return fresh.fromStream(bytes.NewReader(r.toStream()), false) },
	} {
		fresh := emptyRig(t, testdb.NewEmpty(t))
		if err := restore(fresh); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		found := fresh.findings()
		if len(found) != 2 {
			t.Errorf("%s: doctor finds %v", name, found)
		}
		for _, f := range found {
			if f.Kind != "lost" || reasons[f.Ref] == "" {
				t.Errorf("%s: doctor finds %s", name, f)
			}
		}
	}
}

// TestMigratedMeanwhile makes no backup that says it is of a version that it is not of.
func TestMigratedMeanwhile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := t.TempDir()
	s := backup.New(postgres.NewBackupStore(r.db), r.blobs, backup.Program{Version: "test", Schema: schema() - 1})
	err := s.ToFolder(t.Context(), dir, backup.Options{}, func(backup.Report) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "migrated") {
		t.Error(err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "backups")); err != nil || len(left) != 0 {
		t.Errorf("left of it: %v, %v", left, err)
	}
}
