// Package nginxtest runs a real nginx with the repository's own configuration (nginx/) before a server under test or under
// measurement: as an unprivileged child process, on a free port of the loopback, in a folder of its own.
package nginxtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Config says what a Gateway stands before.
type Config struct {
	Upstream string // host:port of the server, or of several with spaces between; "" where Server names another
	Storage  string // the folder with blobs/ and variants/; any whole path, even one that is not there
	Static   string // the folder of the pages (see Pages); none when empty, so that they are the server's
	// Settings are "NAME=value", as the container gets them. This machine is trusted as a proxy before the gateway
	// (KADR_OUTER_PROXIES) where they don't say otherwise, so that tests may be at many addresses.
	Settings []string
	// Certificate and Key name PEM files; with them the gateway speaks TLS at SecureAddress.
	Certificate, Key string
	// Server is put into the server block in place of the repository's site.conf, for measuring something else. It may
	// include the repository's files by their names.
	Server string
	// HTTP is put into the http block.
	HTTP string
	// Edit replaces text in the repository's files (old, new, old, new …), for timeouts that no test can wait for.
	Edit      []string
	AccessLog bool      // writes the file AccessLog names
	Workers   int       // processes; 0 means one for each core
	Log       io.Writer // of the error log, from warn up; nil discards it
}

// Gateway is a running nginx.
type Gateway struct {
	URL     string // http://127.0.0.1:port
	Address string // 127.0.0.1:port
	// SecureAddress is where it speaks TLS, if it does.
	SecureAddress string
	cmd           *exec.Cmd
	exited        chan error
	dir           string
	janitor       *exec.Cmd
	keep          io.Closer // while it is open, the janitor waits
}

// Run starts a Gateway that lives as long as the test and logs to its output. The test fails where there is no nginx.
func Run(t testing.TB, config Config) *Gateway {
	t.Helper()
	if config.Log == nil {
		config.Log = t.Output()
	}
	g, err := Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Stop(); err != nil {
			t.Errorf("stop nginx: %v", err)
		}
	})
	return g
}

// startTries bounds how often another port is tried: the one that was free may be taken before nginx gets there.
const startTries = 5

// Start starts a Gateway and returns once it accepts connections. The caller must Stop it. It runs until then or until this
// process ends, however it ends; ctx only bounds the start.
func Start(ctx context.Context, config Config) (*Gateway, error) {
	binary, err := find()
	if err != nil {
		return nil, err
	}
	var errs []error
	for range startTries {
		g, err := start(ctx, binary, config)
		if err == nil {
			return g, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("start nginx: %w", errors.Join(errs...))
}

// find looks in PATH and, as that of an unprivileged user often lacks them, in the folders that packages put nginx into.
func find() (string, error) {
	path, err := exec.LookPath("nginx")
	for _, folder := range []string{"/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin", "/usr/local/bin"} {
		if err != nil {
			path, err = exec.LookPath(filepath.Join(folder, "nginx"))
		}
	}
	if err != nil {
		return "", errors.New("nginx is not installed: .ci/setup test")
	}
	return path, nil
}

// janitor is run by a shell that outlives this process. It waits until its standard input ends, as it does however this
// process ends, then ends nginx ($1) and removes its folder ($2).
const janitor = `cat >/dev/null; kill "$1" 2>/dev/null; rm -rf -- "$2"`

func start(ctx context.Context, binary string, config Config) (_ *Gateway, err error) {
	g := &Gateway{exited: make(chan error, 1)}
	if g.dir, err = os.MkdirTemp("", "kadr-nginx-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.Stop())
		}
	}()
	if g.Address, err = freeAddress(); err != nil {
		return nil, err
	}
	g.URL = "http://" + g.Address
	if config.Certificate != "" {
		if g.SecureAddress, err = freeAddress(); err != nil {
			return nil, err
		}
	}
	if err := g.write(ctx, config); err != nil {
		return nil, err
	}
	g.cmd = exec.Command(binary, "-p", g.dir+"/", "-c", "main.conf", "-e", "stderr")
	g.cmd.Stderr = config.Log
	if err := g.cmd.Start(); err != nil {
		g.cmd = nil
		return nil, err
	}
	go func() { g.exited <- g.cmd.Wait() }()
	if err := g.watch(); err != nil {
		return nil, err
	}
	return g, g.ready(ctx)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// write lays out the folder: as the container has it, and beside its nginx.conf one for this machine.
func (g *Gateway) write(ctx context.Context, config Config) error {
	if err := prepare(ctx, g.dir, config); err != nil {
		return err
	}
	who, err := workersUser()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(g.dir, "main.conf"), []byte(g.main(config, who)), 0o600)
}

// workersUser is the directive that makes root's workers root too: nginx would give them to somebody who cannot read the
// storage. Anybody else's are their own without a word.
func workersUser() (string, error) {
	if os.Getuid() != 0 {
		return "", nil
	}
	group, err := user.LookupGroupId("0")
	if err != nil {
		return "", err
	}
	return "user root " + group.Name + ";", nil
}

// tempFolders are where a package's nginx would only let its own user write.
const tempFolders = `client_body_temp_path body-temp; proxy_temp_path proxy-temp;
	fastcgi_temp_path fastcgi-temp; uwsgi_temp_path uwsgi-temp; scgi_temp_path scgi-temp;`

func (g *Gateway) main(config Config, workersUser string) string {
	workers := "auto"
	if config.Workers > 0 {
		workers = strconv.Itoa(config.Workers)
	}
	upstream := ""
	if config.Upstream != "" {
		servers := ""
		for _, server := range strings.Fields(config.Upstream) {
			servers += "server " + server + " max_fails=0; "
		}
		upstream = "upstream kadr { zone kadr 256k; " + servers + "include upstream.conf; }\n" +
			"\tupstream kadr_once { zone kadr_once 256k; " + servers + "}"
	}
	server := config.Server
	if server == "" {
		server = "include plain.conf;"
	}
	accessLog := "off"
	if config.AccessLog {
		accessLog = g.AccessLog() + " kadr"
	}
	secure := ""
	if g.SecureAddress != "" {
		secure = "server { listen " + g.SecureAddress + " ssl http2; ssl_certificate " + config.Certificate +
			"; ssl_certificate_key " + config.Key + "; include tls.conf; include site.conf; }"
	}
	return `daemon off;
worker_processes ` + workers + `;
` + workersUser + `
pid nginx.pid;
error_log stderr warn;
worker_rlimit_nofile 8192;
include modules.conf;
events { worker_connections 4096; }
http {
	` + tempFolders + `
	include settings.conf;
	include http.conf;
	access_log ` + accessLog + `;
	` + upstream + `
	` + config.HTTP + `
	server {
		listen ` + g.Address + ` backlog=1024;
		` + server + `
	}
	` + secure + `
}
`
}

// AccessLog names the access log's file.
func (g *Gateway) AccessLog() string { return filepath.Join(g.dir, "access.log") }

// BodyFolder names the folder that nginx would keep requests' bodies in.
func (g *Gateway) BodyFolder() string { return filepath.Join(g.dir, "body-temp") }

// ACMEFolder names the folder that is served below /.well-known/acme-challenge/.
func (g *Gateway) ACMEFolder() string { return filepath.Join(g.dir, "acme") }

// watch starts the janitor.
func (g *Gateway) watch() (err error) {
	cmd := exec.Command("/bin/sh", "-c", janitor, "kadr-nginx-janitor", strconv.Itoa(g.PID()), g.dir)
	// Not in our process group, to outlive a Ctrl-C. Its output goes nowhere: `go test` waits for whoever holds its own.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if g.keep, err = cmd.StdinPipe(); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	g.janitor = cmd
	return nil
}

// ready waits until nginx has written its pid, as it does once it listens.
func (g *Gateway) ready(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-g.exited:
			g.exited <- err
			return fmt.Errorf("nginx ended: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if text, err := os.ReadFile(filepath.Join(g.dir, "nginx.pid")); err == nil && len(text) > 0 {
				return nil
			}
		}
	}
}

// PID is the master process's id.
func (g *Gateway) PID() int { return g.cmd.Process.Pid }

// stopTimeout is how long nginx may take to end before it is killed.
const stopTimeout = 10 * time.Second

// Stop ends nginx, cutting off what is being sent, and removes its folder.
func (g *Gateway) Stop() error {
	var errs []error
	if g.janitor != nil { // first, for once nginx is reaped its id may be somebody else's
		errs = append(errs, g.janitor.Process.Kill())
		_ = g.janitor.Wait() // it was killed
	}
	if g.cmd != nil {
		_ = g.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		select {
		case err := <-g.exited:
			errs = append(errs, err)
		case <-time.After(stopTimeout):
			errs = append(errs, errors.New("nginx does not end"), g.cmd.Process.Kill(), <-g.exited)
		}
	}
	return errors.Join(append(errs, os.RemoveAll(g.dir))...)
}
