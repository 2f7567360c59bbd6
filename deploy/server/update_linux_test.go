package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestFirstDeployment(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	write(t, filepath.Join(b.dir, ".env"), "KADR_PUBLIC_URL=https://pictures.example.org\n")
	if err := os.Chmod(filepath.Join(b.dir, ".env"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, said := b.update(t, "v1.0.0")
	if code != 0 {
		t.Fatalf("exit code %d:\n%s", code, said)
	}
	says(t, said, "nothing → v1.0.0", "v1.0.0 runs")
	says(t, b.asked(t), "v1.0.0: compose pull\n", "v1.0.0: compose up --detach --no-build")
	b.has(t, "docker-compose.yml", "# v1.0.0\n")
	b.has(t, "deploy/compose.tls.yml", "# tls v1.0.0\n")
	b.has(t, ".env", "KADR_PUBLIC_URL=https://pictures.example.org\nKADR_VERSION=v1.0.0\n")
	if info, err := os.Stat(filepath.Join(b.dir, ".env")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the settings are %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Join(b.dir, "docker-compose.yml")); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("the compose file is %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(b.dir, ".kadr", "next*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestUpgradeKeepsTheOwnersFiles(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	key := filepath.Join(b.dir, "deploy", "tls.key")
	write(t, key, "secret")
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"v1.0.0", "v1.1.0", "v1.1.0"} {
		if code, said := b.update(t, version); code != 0 {
			t.Fatalf("exit code %d:\n%s", code, said)
		}
	}
	b.has(t, "docker-compose.yml", "# v1.1.0\n")
	b.has(t, ".env", "KADR_VERSION=v1.1.0\n")
	b.has(t, "deploy/tls.key", "secret")
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key is %v, %v", info.Mode(), err)
	}
}

// Whatever is wrong with the new version, the one before is put back: its files, its settings, its images.
func TestPreviousVersionIsPutBack(t *testing.T) {
	t.Parallel()
	for how, reason := range map[string]string{
		"absent":  "v1.1.0 cannot be fetched",
		"refuses": "v1.1.0 does not start",
		"sick":    "not healthy after 1 s",
		"loops":   "not healthy after 1 s",
		"gone":    "not healthy after 1 s",
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			if code, said := b.update(t, "v1.0.0"); code != 0 {
				t.Fatalf("exit code %d:\n%s", code, said)
			}
			b.asked(t)
			b.wrong(t, how, "v1.1.0")
			code, said := b.update(t, "v1.1.0")
			if code != 1 {
				t.Errorf("exit code %d", code)
			}
			says(t, said, "v1.0.0 → v1.1.0", reason, "putting v1.0.0 back", "v1.0.0 runs again; v1.1.0 does not")
			asked := b.asked(t)
			says(t, asked, "v1.1.0: compose pull", "v1.0.0: compose up", "v1.0.0: inspect")
			if how == "absent" && strings.Contains(asked, "v1.1.0: compose up") {
				t.Error("what could not be fetched was started")
			}
			b.has(t, "docker-compose.yml", "# v1.0.0\n")
			b.has(t, "deploy/compose.tls.yml", "# tls v1.0.0\n")
			b.has(t, ".env", "KADR_VERSION=v1.0.0\n")

			// And the next one starts from there.
			if code, said := b.update(t, "v1.2.0"); code != 0 || !strings.Contains(said, "v1.0.0 → v1.2.0") {
				t.Errorf("exit code %d:\n%s", code, said)
			}
		})
	}
}

func TestNothingBeforeToPutBack(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.wrong(t, "sick", "v1.0.0")
	code, said := b.update(t, "v1.0.0")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	says(t, said, "not healthy after 1 s", "there was nothing before it")

	// A version that never was healthy is nothing to go back to.
	b.wrong(t, "sick", "v1.0.1")
	code, said = b.update(t, "v1.0.1")
	if code != 1 || strings.Contains(said, "putting v1.0.0 back") {
		t.Errorf("exit code %d:\n%s", code, said)
	}
	if code, said := b.update(t, "v1.0.2"); code != 0 {
		t.Errorf("exit code %d:\n%s", code, said)
	}
}

func TestNothingRuns(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	if code, said := b.update(t, "v1.0.0"); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, said)
	}
	b.wrong(t, "sick", "v1.0.0") // as by a schema that v1.1.0 has changed
	b.wrong(t, "sick", "v1.1.0")
	code, said := b.update(t, "v1.1.0")
	if code != 3 {
		t.Errorf("exit code %d", code)
	}
	says(t, said, "putting v1.0.0 back", "nothing runs", "backup")
}

// Compose was used by hand before: that is what is put back.
func TestOwnersOwnInstallationIsPutBack(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	write(t, filepath.Join(b.dir, "docker-compose.yml"), "# mine\n")
	b.wrong(t, "sick", "v1.0.0")
	code, said := b.update(t, "v1.0.0")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	says(t, said, "putting the version before back", "the version before runs again")
	b.has(t, "docker-compose.yml", "# mine\n")
	b.has(t, ".env", "")
}

// stopped starts a deployment of v1.1.0 on v1.0.0, ends it in the middle by a signal, and returns its exit code.
func stopped(t *testing.T, b *box, signal syscall.Signal) (code int, said string) {
	t.Helper()
	if code, said := b.update(t, "v1.0.0"); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, said)
	}
	b.asked(t)
	cmd, out := b.updating(t, "v1.1.0", "1")
	cmd.Env = append(cmd.Env, "SLOW=0.5")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		text, _ := os.ReadFile(filepath.Join(b.state, "asked"))
		if strings.Contains(string(text), "v1.1.0: compose up") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it never started anything")
		}
	}
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode(), out.String()
}

func TestInterruptedDeploymentIsPutBack(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	code, said := stopped(t, b, syscall.SIGTERM)
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	says(t, said, "interrupted", "v1.0.0 runs again")
	b.has(t, ".env", "KADR_VERSION=v1.0.0\n")
}

// A deployment that was cut off without a word leaves a version that nobody saw healthy: it is never gone back to.
func TestKilledDeploymentIsNotGoneBackTo(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	stopped(t, b, syscall.SIGKILL)
	b.has(t, ".env", "KADR_VERSION=v1.1.0\n")
	b.wrong(t, "sick", "v1.2.0")
	time.Sleep(600 * time.Millisecond) // the killed one's docker ends, and with it the lock, were it held
	code, said := b.update(t, "v1.2.0")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	says(t, said, "putting v1.0.0 back", "v1.0.0 runs again")
	b.has(t, "docker-compose.yml", "# v1.0.0\n")
}

func TestOneDeploymentAtATime(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	write(t, filepath.Join(b.dir, ".kadr", "lock"), "")
	lock, err := os.Open(filepath.Join(b.dir, ".kadr", "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	code, said := b.update(t, "v1.0.0")
	if code != 1 || !strings.Contains(said, "another deployment is under way") || b.asked(t) != "" {
		t.Errorf("exit code %d:\n%s", code, said)
	}
}
