package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/cli"
)

// TestMemory compares a file of 45 MiB, which is no picture, with one of a single byte. What the system says of a process
// that has ended counts its parent's memory, so it is asked while it runs.
func TestMemory(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	anna := in.register(t, "anna")
	p := program{person: anna, binary: build(t), config: t.TempDir(), key: anna.uploader(t).APIKey}
	peak := func(size int) (kib int) {
		t.Helper()
		file := write(t, t.TempDir(), "file", bytes.Repeat([]byte{1}, size))
		line := newProxy(t, in, func(int64) line { return line{up: -1, down: -1, pause: 100 * time.Microsecond} })
		cmd := p.command(t, line.url, p.key, "upload", file)
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		for {
			select {
			case err := <-ended:
				if cmd.ProcessState.ExitCode() != cli.ExitFailed || !strings.Contains(said.String(), "(request ") || kib == 0 {
					t.Fatalf("%v, %d KiB: %s", err, kib, &said)
				}
				return kib
			case <-time.After(time.Millisecond):
				status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
				if err != nil {
					continue // it has just ended
				}
				for line := range strings.Lines(string(status)) {
					if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
						n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
						if err != nil {
							t.Fatal(err)
						}
						kib = max(kib, n)
					}
				}
			}
		}
	}
	little, much := peak(1), peak(45<<20)
	t.Logf("%d MiB, and %d MiB for a file of 45 MiB", little>>10, much>>10)
	if much > little+16<<10 {
		t.Errorf("it takes %d MiB more for 45 MiB", (much-little)>>10)
	}
}
