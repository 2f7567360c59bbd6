// Package served runs the program itself for those that hold it against something: `kadr serve`, with a private database in a
// folder, and with no settings but theirs.
package served

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// patience is how long the program may take to get ready: PostgreSQL makes its cluster first.
const patience = 2 * time.Minute

// Program is running.
type Program struct {
	kadr  string
	env   []string
	cmd   *exec.Cmd
	ended chan error
}

// Start runs kadr at an address, over a folder that may be new, and returns when it is ready. What it writes to standard error goes to log.
// Settings are "KADR_NAME=value".
func Start(ctx context.Context, kadr, address, data string, log io.Writer, settings ...string) (*Program, error) {
	p := &Program{kadr: kadr, cmd: exec.Command(kadr, "serve"), ended: make(chan error, 1)}
	p.env = slices.Concat(Environ(), []string{"KADR_LISTEN=" + address, "KADR_DATA_DIR=" + data, "KADR_LOG_LEVEL=warn"}, settings)
	p.cmd.Env, p.cmd.Stderr = p.env, log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.ended <- p.cmd.Wait() }()
	if err := p.ready(ctx, "http://"+address+"/readyz"); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

// Stop ends it, and waits until its database has ended too.
func (p *Program) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	return <-p.ended
}

// Run runs another command of the program beside it, such as "admin list", and returns what that prints.
func (p *Program) Run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, p.kadr, args...)
	cmd.Env, cmd.Stderr = p.env, os.Stderr
	out, err := cmd.Output()
	return string(out), err
}

func (p *Program) ready(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
		if err != nil {
			return err
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-p.ended:
			p.ended <- nil // for Stop
			return errors.Join(errors.New("the server ended before it was ready"), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return errors.New("the server does not get ready")
}

// Environ is this process's environment without Kadr's settings.
func Environ() []string {
	return slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "KADR_") })
}

// FreeAddress returns an address of the loopback on which nobody listens.
func FreeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
