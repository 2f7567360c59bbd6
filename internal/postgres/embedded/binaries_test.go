package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeServer makes programs that only tell a version.
func fakeServer(t *testing.T, version string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\necho 'postgres (PostgreSQL) %s'\n", version)
	for _, name := range []string{"postgres", "initdb"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestMissingBinaries(t *testing.T) {
	t.Parallel()
	for name, dirs := range map[string][]string{"none": {t.TempDir(), "/nonexistent"}, "old": {fakeServer(t, "14.11")}} {
		_, err := Start(t.Context(), Config{Dir: tempDir(t), SearchDirs: dirs})
		if !errors.Is(err, ErrNoBinaries) || !strings.Contains(err.Error(), "KADR_DATABASE_URL") {
			t.Errorf("%s: got %v", name, err)
		}
		if name == "old" && !strings.Contains(err.Error(), "14") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestChooseBinaries(t *testing.T) {
	t.Parallel()
	dirs := []string{fakeServer(t, "14.1"), fakeServer(t, "15.18"), fakeServer(t, "17.2"), fakeServer(t, "16beta1")}
	for _, test := range []struct{ major, want int }{{0, 17}, {15, 15}, {16, 16}} {
		got, err := chooseBinaries(t.Context(), dirs, "/data", test.major)
		if err != nil || got.Major != test.want {
			t.Errorf("for %d: %+v, %v; want %d", test.major, got, err, test.want)
		}
	}
	_, err := chooseBinaries(t.Context(), dirs, "/data", 18)
	if !errors.Is(err, ErrNoBinaries) || !strings.Contains(err.Error(), "/data was made by PostgreSQL 18") {
		t.Errorf("got %v", err)
	}
	// A link leads to where the other programs are.
	links := t.TempDir()
	if err := os.Symlink(filepath.Join(dirs[1], "postgres"), filepath.Join(links, "postgres")); err != nil {
		t.Fatal(err)
	}
	if got, err := chooseBinaries(t.Context(), []string{links}, "", 0); err != nil || got.Dir != dirs[1] {
		t.Errorf("through a link: %+v, %v", got, err)
	}
}

func TestParseMajor(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]int{
		"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n": 15,
		"postgres (PostgreSQL) 17.2":                             17,
		"postgres (PostgreSQL) 19devel":                          19,
		"postgres (PostgreSQL) 9.6.24":                           9,
		"postgres (EnterpriseDB) 16.1":                           0,
		"":                                                       0,
	} {
		if got := parseMajor(line); got != want {
			t.Errorf("parseMajor(%q) = %d, want %d", line, got, want)
		}
	}
}

func TestInstallHint(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		goos, osRelease string
		major           int
		want            string
	}{
		{"linux", "ID=debian\n", 0, "apt-get install postgresql "},
		{"linux", "NAME=\"Mint\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", 15, "apt-get install postgresql-15 "},
		{"linux", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", 0, "dnf install postgresql-server"},
		{"linux", "ID=fedora\n", 16, "dnf install postgresql16-server"},
		{"linux", "ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n", 16, "zypper install postgresql16-server"},
		{"linux", "ID=alpine\n", 0, "apk add postgresql17"},
		{"linux", "ID=arch\n", 0, "pacman -S postgresql"},
		{"darwin", "", 15, "brew install postgresql@15"},
		{"linux", "ID=gentoo\n", 0, "PostgreSQL 15 or newer from"},
		{"freebsd", "", 16, "PostgreSQL 16 from"},
	} {
		got := installHint(test.goos, test.osRelease, test.major)
		if !strings.Contains(got, test.want) || !strings.Contains(got, "KADR_DATABASE_URL") {
			t.Errorf("%s %q %d: %q lacks %q", test.goos, test.osRelease, test.major, got, test.want)
		}
	}
}
