package embedded

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const (
	superuser    = "kadr"
	databaseName = "kadr"
	// socketPort only names the socket's file. It is fixed so that a PGPORT in the environment means nothing.
	socketPort = 5432
)

// layout is where everything of one cluster lies. The paths are absolute, without symbolic links.
type layout struct {
	dir, data, log, lock string
	socketDir            string // chosen by prepare
}

func newLayout(dir string) (*layout, error) {
	if dir == "" {
		return nil, errors.New("embedded: no folder given for the cluster")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, fmt.Errorf("make the folder for PostgreSQL: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make the folder for PostgreSQL: %w", err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, fmt.Errorf("find the folder for PostgreSQL: %w", err)
	}
	return &layout{
		dir: dir, data: filepath.Join(dir, "data"),
		log: filepath.Join(dir, "postgres.log"), lock: filepath.Join(dir, "lock"),
	}, nil
}

// major returns the major version that made the cluster, 0 when there is none yet.
func (l *layout) major() (int, error) {
	text, err := os.ReadFile(filepath.Join(l.data, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the version of the PostgreSQL cluster: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s holds no version: the cluster is damaged", filepath.Join(l.data, "PG_VERSION"))
	}
	return major, nil
}

// prepare decides who runs the server and makes the folders ready for that user.
func (l *layout) prepare(ctx context.Context, bin Binaries) (runAs, error) {
	user, err := chooseUser(l.data)
	if err != nil {
		return runAs{}, err
	}
	mode := fs.FileMode(0o700)
	if user.drop {
		mode = 0o711
	}
	if err := os.Chmod(l.dir, mode); err != nil {
		return runAs{}, fmt.Errorf("prepare the folder for PostgreSQL: %w", err)
	}
	if l.socketDir, err = chooseSocketDir(l.dir, os.TempDir()); err != nil {
		return runAs{}, err
	}
	if err := ensurePrivate(l.socketDir, user); err != nil {
		return runAs{}, err
	}
	run := runAs{user: user}
	run.caps, err = reach(ctx, user, bin.Path("postgres"), []string{l.dir, l.socketDir})
	return run, err
}

// removeRuntime removes the socket's folder when it lies outside the cluster's.
func (l *layout) removeRuntime() {
	if l.socketDir != "" && filepath.Dir(l.socketDir) != l.dir {
		_ = os.Remove(l.socketDir) // only an empty folder goes
	}
}

// chooseSocketDir returns run/ in the cluster's folder or, where a socket's address has no room for that path, a
// folder of temporary files named after a hash of it.
func chooseSocketDir(dir, temp string) (string, error) {
	sum := sha256.Sum256([]byte(dir))
	short := "kadr-pg-" + hex.EncodeToString(sum[:6])
	for _, candidate := range []string{
		filepath.Join(dir, "run"), filepath.Join(temp, short), filepath.Join("/tmp", short),
	} {
		// A comma would end the path, both in pgx's host parameter and in libpq's.
		name := filepath.Join(candidate, fmt.Sprintf(".s.PGSQL.%d", socketPort))
		if len(name) <= maxSocketPath && !strings.Contains(name, ",") {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("no folder has a path short enough for a unix socket: tried %s, %s and /tmp", dir, temp)
}

// ensurePrivate makes dir a folder that user alone may enter. What lies there already must be such a folder: somebody
// else may have made it, when its parent is open to all.
func ensurePrivate(dir string, user account) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make a folder for PostgreSQL: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("make a folder for PostgreSQL: %w", err)
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	if !info.IsDir() || (owner != user.uid && int(owner) != os.Geteuid()) {
		return fmt.Errorf("%s exists but is not a folder of user %s: remove it", dir, user.name)
	}
	if owner != user.uid {
		if err := os.Lchown(dir, int(user.uid), int(user.gid)); err != nil {
			return fmt.Errorf("give a folder to user %s: %w", user.name, err)
		}
	}
	if info.Mode().Perm() != 0o700 {
		if err := os.Chmod(dir, 0o700); err != nil {
			return fmt.Errorf("close a folder to other users: %w", err)
		}
	}
	return nil
}

// dsn is the connection string over the socket. It names all that libpq's environment variables could change.
func dsn(socketDir string, port int) string {
	return dsnOf(socketDir, port, databaseName)
}

func dsnOf(socketDir string, port int, database string) string {
	query := url.Values{"host": {socketDir}, "port": {strconv.Itoa(port)}, "sslmode": {"disable"}}
	u := url.URL{Scheme: "postgres", User: url.User(superuser), Path: "/" + database}
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20") // pgx and libpq take a plus for itself
	return u.String()
}

// removeStaleSocket removes what a killed server left of its socket. The caller knows that none runs. PostgreSQL would do
// it, but the number in the socket's lock file fools it as the one in postmaster.pid does; see settle.
func (l *layout) removeStaleSocket() error {
	name := filepath.Join(l.socketDir, fmt.Sprintf(".s.PGSQL.%d", socketPort))
	for _, file := range []string{name, name + ".lock"} {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove a stale socket: %w", err)
		}
	}
	return nil
}
