package imaging_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kadr-app/kadr/internal/imaging"
)

func TestSandboxHolds(t *testing.T) {
	t.Parallel()
	if missing := pool(t).Missing(); len(missing) > 0 {
		t.Fatalf("this machine offers no sandbox, so nothing can be proved here: %v", missing)
	}
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, attempt := range []string{
		"write_file:" + filepath.Join(dir, "new"), "read_file:" + secret, "read_file:/etc/passwd", "remove_file:" + secret,
		"socket", "program", "signal_parent",
	} {
		err := pool(t).SelfTest(context.Background(), attempt)
		if err == nil || !strings.Contains(err.Error(), "operation not permitted") {
			t.Errorf("%s: %v", attempt, err)
		}
	}
	if _, err := os.Stat(secret); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a file was made")
	}
}

func TestSecretsAreNotHandedOn(t *testing.T) {
	t.Setenv("KADR_DATABASE_URL", "postgres://secret")
	p := newPool(t, imaging.PoolConfig{Workers: 1})
	if err := p.SelfTest(context.Background(), "environment:KADR"); err == nil {
		t.Error("a decoder knows the server's settings")
	}
	if err := p.SelfTest(context.Background(), "environment:MALLOC_ARENA_MAX=2"); err != nil {
		t.Error(err)
	}
}
