package embedded

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestServerLogIsBounded(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "postgres.log")
	f, err := openServerLog(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	line := append(bytes.Repeat([]byte("x"), 1023), '\n')
	for range maxServerLog/len(line) + 1 {
		if _, err := f.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := boundServerLog(f); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("next\n"); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != "next\n" {
		t.Errorf("the log holds %d bytes, %v", len(text), err)
	}
	if info, err := os.Stat(name + ".1"); err != nil || info.Size() != maxServerLog {
		t.Errorf("the older part: %v, %v", info, err)
	}
	if got := logTail(name, 0).String(); got != "  next" {
		t.Errorf("the tail is %q", got)
	}
	if got := logTail(name, 5).String(); got != "  (empty)" {
		t.Errorf("the tail of nothing is %q", got)
	}
}
