//go:build unix

package blob_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/blob/blobtest"
)

// The faults that cannot be had in the test's own process (being killed, a limit on file sizes, a file system of one's
// own) happen in a child: this test binary again, running TestChild with the fault named in the environment.
const (
	faultEnv = "KADR_BLOB_FAULT"
	dirEnv   = "KADR_BLOB_DIR"
	wayEnv   = "KADR_BLOB_WAY"
)

// child makes the command that runs one fault on the store in dir.
func child(t *testing.T, fault, way, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$", "-test.count=1")
	cmd.Env = append(os.Environ(), faultEnv+"="+fault, wayEnv+"="+way, dirEnv+"="+dir)
	return cmd
}

// TestChild is the child's side, and nothing when it is run as a test.
func TestChild(t *testing.T) { //nolint:paralleltest // it is alone in its process
	fault, dir := os.Getenv(faultEnv), os.Getenv(dirEnv)
	if fault == "" {
		return
	}
	setUpFault(t, fault, dir)
	d, err := ways()[os.Getenv(wayEnv)](dir)
	if err != nil {
		t.Fatal(err)
	}
	switch fault {
	case "limit":
		childLimit(t, d, dir)
	case "full":
		childFull(t, d, dir)
	case "work":
		childWork(d)
	default: // the step of Commit to die at
		d.At(func(step string) {
			if step == fault {
				die()
			}
		})
		blobtest.Put(t, d, crashData())
		t.Fatal("still alive")
	}
}

// die ends the process as kill -9 does, without a chance to tidy up.
func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func crashData() []byte { return blobtest.Bytes(9, 400_000) }

func TestCrashInCommit(t *testing.T) {
	t.Parallel()
	for way, open := range ways() {
		for _, step := range []string{"staged", "named", "durable"} {
			t.Run(way+" "+step, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				out, err := child(t, step, way, dir).CombinedOutput()
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
					t.Fatalf("the child was not killed: %v\n%s", err, out)
				}
				d, err := open(dir)
				if err != nil {
					t.Fatalf("open: %v", err)
				}
				if step == "named" || step == "durable" {
					blobtest.Want(t, d, crashData())
				} else {
					blobtest.WantList(t, d)
				}
				if _, err := d.SweepTemp(t.Context(), 0); err != nil {
					t.Errorf("SweepTemp: %v", err)
				}
				wantNothingLeft(t, dir)
				ref := blobtest.Put(t, d, crashData())
				blobtest.Want(t, d, crashData())
				blobtest.WantList(t, d, ref.String()+" 400000")
			})
		}
	}
}

// TestKillAtAnyMoment kills a process that stores from eight goroutines: what it acknowledged is there, and whatever
// else is there is whole.
func TestKillAtAnyMoment(t *testing.T) {
	t.Parallel()
	for way, open := range ways() {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cmd := child(t, "work", way, dir)
			pipe, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var acked []blob.Ref
			for lines := bufio.NewScanner(pipe); lines.Scan(); {
				ref, err := blob.ParseRef(lines.Text())
				if err != nil {
					continue // half a line, from the moment of death
				}
				if acked = append(acked, ref); len(acked) == 60 {
					if err := cmd.Process.Kill(); err != nil {
						t.Error(err)
					}
				}
			}
			_ = cmd.Wait() // killed
			if len(acked) < 60 {
				t.Fatalf("the child ended after %d blobs", len(acked))
			}

			d, err := open(dir)
			if err != nil {
				t.Fatalf("open: %v", err)
			}
			there := map[blob.Ref]bool{}
			err = d.Walk(t.Context(), func(e blob.Entry) error {
				f, err := d.Open(t.Context(), e.Ref)
				if err != nil {
					return err
				}
				defer func() { _ = f.Close() }()
				s, err := d.Stage(t.Context(), f, e.Size)
				if err != nil {
					return err
				}
				defer s.Discard()
				there[s.Ref()] = true
				if s.Ref() != e.Ref {
					return fmt.Errorf("%v holds %v", e.Ref, s.Ref())
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			for _, ref := range acked {
				if !there[ref] {
					t.Errorf("%v was acknowledged and is lost", ref)
				}
			}
			if _, err := d.SweepTemp(t.Context(), 0); err != nil {
				t.Errorf("SweepTemp: %v", err)
			}
			wantNothingLeft(t, dir)
		})
	}
}

// childWork stores blobs until it is killed, and prints each one's Ref once it is acknowledged.
func childWork(d *blob.Dir) {
	for w := range 8 {
		go func() {
			for n := 0; ; n++ {
				data := blobtest.Bytes(uint64(w), 50_000+n)
				s, err := d.Stage(context.Background(), bytes.NewReader(data), 1<<20)
				if err != nil {
					die()
				}
				if err := d.Commit(context.Background(), s); err != nil {
					die()
				}
				fmt.Println(s.Ref())
				s.Discard()
			}
		}()
	}
	select {}
}

// A limit on the size of files makes a real write fail on every system. It is neither the client's fault nor a full
// disk, and must not be told as either.
func TestFileSizeLimit(t *testing.T) {
	t.Parallel()
	runFault(t, "limit", func(*exec.Cmd) {})
}

func childLimit(t *testing.T, d *blob.Dir, dir string) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	small := []byte("small")
	ref := blobtest.Put(t, d, small)
	limit := syscall.Rlimit{Cur: 256 << 10, Max: 256 << 10}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	s, err := d.Stage(t.Context(), bytes.NewReader(make([]byte, 1<<20)), 2<<20)
	if s != nil || !errors.Is(err, syscall.EFBIG) || apperr.KindOf(err) != apperr.Internal {
		t.Errorf("Stage = %v, %v of kind %v", s, err, apperr.KindOf(err))
	}
	wantNothingLeft(t, dir)
	blobtest.Put(t, d, []byte("another small one"))
	blobtest.Want(t, d, small)
	if err := d.Remove(t.Context(), ref); err != nil {
		t.Error(err)
	}
}

// runFault runs a fault each way, in a folder each, and passes on what the child says.
func runFault(t *testing.T, fault string, prepare func(*exec.Cmd)) {
	t.Helper()
	for way := range ways() {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			cmd := child(t, fault, way, filepath.Join(t.TempDir(), "store"))
			cmd.Args = append(cmd.Args, "-test.v")
			prepare(cmd)
			out, err := cmd.CombinedOutput()
			if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("the child may not have a file system of its own (are user namespaces allowed here?): %v", err)
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}

// childFull fills the small file system that dir is on. It is the child's own and goes when the child ends.
func childFull(t *testing.T, d *blob.Dir, dir string) {
	t.Helper()
	kept := blobtest.Bytes(1, 100_000)
	ref := blobtest.Put(t, d, kept)
	wantFull := func(what string, err error) {
		t.Helper()
		var e *apperr.Error
		if !errors.As(err, &e) || e.Kind != apperr.InsufficientStorage || e.Code != "storage_full" || e.RetryAfter <= 0 ||
			!errors.Is(err, blob.ErrStorageFull) || !errors.Is(err, syscall.ENOSPC) || strings.Contains(e.Message, dir) {
			t.Errorf("%s = %v, want a full storage", what, err)
		}
	}
	for range 3 { // were anything left behind, the third would find less room than the first
		s, err := d.Stage(t.Context(), bytes.NewReader(make([]byte, 8<<20)), 16<<20)
		if s != nil {
			t.Error("Stage returned something")
		}
		wantFull("Stage", err)
		wantNothingLeft(t, dir)
		small, err := d.Stage(t.Context(), bytes.NewReader(make([]byte, 400_000)), 1<<20)
		if err != nil {
			t.Fatalf("Stage of what fits: %v", err)
		}
		small.Discard()
	}
	filler := filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, bytes.NewReader(make([]byte, 8<<20))); err == nil {
		t.Error("the filler fits")
	}
	_ = f.Close()
	wantFull("Check", d.Check(t.Context()))
	if _, err := blob.OpenDir(dir); err != nil {
		t.Errorf("OpenDir on a full disk: %v", err)
	}
	blobtest.Want(t, d, kept)
	blobtest.WantList(t, d, ref.String()+" 100000")
	if err := d.Remove(t.Context(), ref); err != nil { // makes room
		t.Errorf("Remove: %v", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Error(err)
	}
	if err := d.Check(t.Context()); err != nil {
		t.Errorf("Check with room: %v", err)
	}
	wantNothingLeft(t, dir)
	if lines := blobtest.List(t, d); !slices.Equal(lines, []string{}) {
		t.Errorf("left: %v", lines)
	}
}
