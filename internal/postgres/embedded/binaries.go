package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// MinMajor is the oldest major version of PostgreSQL that is used.
const MinMajor = 15

// ErrNoBinaries says that the PostgreSQL programs are missing, or not of a usable version. The error wrapping it says
// what to install.
var ErrNoBinaries = errors.New("no usable PostgreSQL is installed")

// Binaries is one installed PostgreSQL server.
type Binaries struct {
	Dir   string // the folder of its programs, absolute
	Major int    // such as 15
}

// Path returns the path of one of its programs, such as "pg_dump".
func (b Binaries) Path(program string) string { return filepath.Join(b.Dir, program) }

// FindBinaries returns every PostgreSQL server of at least [MinMajor] on this machine, the newest first. searchDirs
// replaces the folders where it looks; nil means PATH, pg_config's and the usual ones of Linux distributions, Homebrew
// and Postgres.app. The error is [ErrNoBinaries], with what to install.
func FindBinaries(ctx context.Context, searchDirs []string) ([]Binaries, error) {
	found := installed(ctx, searchDirs)
	usable := slices.DeleteFunc(slices.Clone(found), func(b Binaries) bool { return b.Major < MinMajor })
	if len(usable) > 0 {
		return usable, nil
	}
	have := "found none"
	if len(found) > 0 {
		have = fmt.Sprintf("found only version %d in %s", found[0].Major, found[0].Dir)
	}
	return nil, fmt.Errorf("%w: kadr needs PostgreSQL %d or newer and %s. %s", ErrNoBinaries, MinMajor, have,
		hint(0))
}

// chooseBinaries returns the newest server or, for a cluster that exists, the one of the version that made it: no
// other can read it.
func chooseBinaries(ctx context.Context, searchDirs []string, data string, major int) (Binaries, error) {
	found, err := FindBinaries(ctx, searchDirs)
	if major == 0 {
		if err != nil {
			return Binaries{}, err
		}
		return found[0], nil
	}
	if i := slices.IndexFunc(found, func(b Binaries) bool { return b.Major == major }); i >= 0 {
		return found[i], nil
	}
	return Binaries{}, fmt.Errorf("%w: the database in %s was made by PostgreSQL %d, which is not installed. %s",
		ErrNoBinaries, data, major, hint(major))
}

// installed returns every server found, whatever its version, the newest first.
func installed(ctx context.Context, searchDirs []string) []Binaries {
	if searchDirs == nil {
		searchDirs = usualDirs(ctx)
	}
	var found []Binaries
	seen := make(map[string]bool)
	for _, dir := range searchDirs {
		// A link such as /usr/local/bin/postgres leads to the folder where the other programs are.
		program, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
		if err != nil {
			continue
		}
		if program, err = filepath.Abs(program); err != nil {
			continue
		}
		dir = filepath.Dir(program)
		if seen[dir] {
			continue
		}
		seen[dir] = true
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, program, "--version").Output()
		if err != nil {
			continue
		}
		if major := parseMajor(string(out)); major > 0 {
			found = append(found, Binaries{Dir: dir, Major: major})
		}
	}
	slices.SortStableFunc(found, func(a, b Binaries) int { return cmp.Compare(b.Major, a.Major) })
	return found
}

// parseMajor reads the version from a line such as "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", 0 when
// there is none. A beta is called 19beta1.
func parseMajor(line string) int {
	_, version, found := strings.Cut(line, "(PostgreSQL) ")
	if !found {
		return 0
	}
	end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		version = version[:end]
	}
	major, err := strconv.Atoi(version)
	if err != nil {
		return 0
	}
	return major
}

// usualDirs returns the folders where PostgreSQL's programs may be.
func usualDirs(ctx context.Context) []string {
	var dirs []string
	if program, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(program))
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
		"/usr/pgsql-*/bin",                  // RHEL, from postgresql.org
		"/usr/libexec/postgresql*",          // Alpine
		"/usr/lib/postgresql*/bin",          // SUSE
		"/usr/local/pgsql/bin",              // from source
		"/opt/homebrew/opt/postgresql*/bin", // Homebrew, Apple silicon
		"/usr/local/opt/postgresql*/bin",    // Homebrew, Intel
		"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
		"/opt/local/lib/postgresql*/bin", // MacPorts
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			panic(err) // the patterns are constants, and valid
		}
		dirs = append(dirs, matches...)
	}
	return dirs
}

func hint(major int) string {
	osRelease, err := os.ReadFile("/etc/os-release")
	if err != nil {
		osRelease = nil // not a Linux, or a bare one: the general advice is given
	}
	return installHint(runtime.GOOS, string(osRelease), major)
}
