package embedded

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// closedDir returns a folder below one that only the user running the tests may enter.
func closedDir(t *testing.T) (closed, dir string) {
	t.Helper()
	closed = filepath.Join(filepath.Dir(tempDir(t)), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	return closed, filepath.Join(closed, "data", "postgres")
}

func TestClosedParent(t *testing.T) {
	t.Parallel()
	closed, dir := closedDir(t)
	cluster := start(t, Config{Dir: dir})
	query(t, cluster.URL(), "SELECT 'alive'")
	info, err := os.Stat(closed)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the closed folder has mode %v, %v", info.Mode(), err)
	}
	// The capability must not keep the kernel from ending the server with its parent.
	stop(t, cluster)
	h := startHelper(t, dir)
	h.kill(t)
	query(t, start(t, Config{Dir: dir}).URL(), "SELECT 'alive'")
}

func TestReachTakesTheLeastCapability(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		// Run by an ordinary user, no other user is involved, and nothing is needed.
		user, err := chooseUser(filepath.Join(t.TempDir(), "data"))
		if err != nil || user.drop {
			t.Errorf("user %+v, %v", user, err)
		}
		return
	}
	user, err := unprivileged()
	if err != nil {
		t.Fatal(err)
	}
	bins, err := FindBinaries(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	open := filepath.Dir(tempDir(t))
	closed, dir := closedDir(t)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		dir    string
		lacked []uint
		want   []uintptr
		fails  bool
	}{
		{name: "open", dir: open},
		{name: "closed", dir: dir, want: []uintptr{unix.CAP_DAC_READ_SEARCH}},
		{name: "as in Docker", dir: dir, lacked: []uint{unix.CAP_DAC_READ_SEARCH}, want: []uintptr{unix.CAP_DAC_OVERRIDE}},
		{name: "neither", dir: dir, lacked: []uint{unix.CAP_DAC_READ_SEARCH, unix.CAP_DAC_OVERRIDE}, fails: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var caps []uintptr
			var err error
			finished := make(chan struct{})
			go func() {
				defer close(finished)
				runtime.LockOSThread() // for good: the thread is thrown away, with its capabilities
				if err = drop(test.lacked); err != nil {
					return
				}
				caps, err = reach(t.Context(), user, bins[0].Path("postgres"), []string{test.dir})
			}()
			<-finished
			if test.fails {
				if err == nil || !strings.Contains(err.Error(), closed) || !strings.Contains(err.Error(), "chmod o+x") {
					t.Errorf("got %v, %v", caps, err)
				}
				return
			}
			if err != nil || len(caps) != len(test.want) || (len(caps) == 1 && caps[0] != test.want[0]) {
				t.Errorf("got %v, %v; want %v", caps, err, test.want)
			}
		})
	}
}

// drop takes capabilities from the calling thread.
func drop(capabilities []uint) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	for _, c := range capabilities {
		data[c/32].Permitted &^= 1 << (c % 32)
		data[c/32].Effective &^= 1 << (c % 32)
	}
	return unix.Capset(&header, &data[0])
}
