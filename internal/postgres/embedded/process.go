package embedded

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// quitTimeout bounds each step of a shutdown that is no longer a gentle one.
const quitTimeout = 10 * time.Second

// process is a child together with the goroutine that waits for it.
type process struct {
	pid  int
	cmd  *exec.Cmd
	done chan struct{}
	err  error // what Wait returned; written before done is closed
}

// spawn starts cmd, which ends with this process. The goroutine that does so keeps its thread until the child has
// ended, because the kernel ties the two by the thread: when the Go runtime ended an idle one, the database would be
// shut down.
func spawn(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	tieToParent(cmd.SysProcAttr)
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	p.pid = cmd.Process.Pid
	return p, nil
}

// exit says how the process ended. It may be called once done is closed.
func (p *process) exit() error {
	if p.err != nil {
		return p.err
	}
	return errors.New("exit status 0")
}

// stop ends the server: fast until ctx is over, then immediately, which its log makes good at the next start.
func (p *process) stop(ctx context.Context) error {
	if p.ended(ctx, syscall.SIGINT) {
		return nil
	}
	quitCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), quitTimeout)
	defer cancel()
	if p.ended(quitCtx, syscall.SIGQUIT) {
		return nil
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	return errors.New("PostgreSQL did not stop when told to, and was killed")
}

// ended sends a signal and waits until the process has ended or ctx is over.
func (p *process) ended(ctx context.Context, signal syscall.Signal) bool {
	_ = p.cmd.Process.Signal(signal) // it fails only when the process has ended
	select {
	case <-p.done:
		return true
	case <-ctx.Done():
		return false
	}
}

// serverCommand is the server itself rather than pg_ctl, so that it is our child. What is on the command line wins over
// postgresql.conf: there, an operator may tune everything but what this package relies on.
func serverCommand(at *layout, bin Binaries, run runAs, logFile *os.File, fast bool) *exec.Cmd {
	settings := []string{
		"listen_addresses=",
		"unix_socket_directories=" + quoteList(at.socketDir),
		"unix_socket_permissions=0700",
		"port=" + strconv.Itoa(socketPort),
		"logging_collector=off",
		"log_destination=stderr",
		"log_checkpoints=off",
		"lc_messages=C",
		"log_timezone=UTC",
		"cluster_name=kadr",
	}
	if fast {
		settings = append(settings,
			"fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0",
			"shared_buffers=64MB", "max_connections=400", "autovacuum=off", "checkpoint_timeout=1h", "jit=off",
		)
	}
	args := []string{"-D", at.data}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	cmd := exec.Command(bin.Path("postgres"), args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = "/", serverEnv(), sysProcAttr(run)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	return cmd
}

// quoteList quotes one entry of a PostgreSQL setting that takes a list.
func quoteList(entry string) string {
	return `"` + strings.ReplaceAll(entry, `"`, `""`) + `"`
}

// serverEnv is the whole environment of the programs: neither Kadr's secrets nor PostgreSQL's own variables, which
// would change what they do, reach them.
func serverEnv() []string {
	return []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
}

// output runs a program to its end as run says, and returns what it printed.
func output(ctx context.Context, run runAs, program string, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = "/", serverEnv(), sysProcAttr(run)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = quitTimeout
	p, err := spawn(cmd)
	if err != nil {
		return "", err
	}
	<-p.done
	return out.String(), p.err
}

// sleep waits for d, or returns the error of ctx when that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
