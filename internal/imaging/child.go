package imaging

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// helloTimeout is how long a decoder may take to start; it takes some 50 ms on an idle machine.
const helloTimeout = 30 * time.Second

// child is the server's side of one decoder process.
type child struct {
	process *exec.Cmd
	conn    *net.UnixConn
	stderr  *stderrLog
	hello   wireHello
	served  int
	rss     int64
	exited  chan struct{} // closed once the process is reaped
}

// launcher starts processes from one OS thread that lives as long as it does: Linux sends the parent's death signal when
// the thread that forked ends, and Go ends threads as it likes.
type launcher struct {
	starts chan func()
	once   sync.Once
}

func newLauncher() *launcher {
	l := &launcher{starts: make(chan func())}
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer relaxTimers()()
		for start := range l.starts {
			start()
		}
	}()
	return l
}

func (l *launcher) start(cmd *exec.Cmd) error {
	done := make(chan error, 1)
	l.starts <- func() { done <- cmd.Start() }
	return <-done
}

func (l *launcher) close() { l.once.Do(func() { close(l.starts) }) }

// spawn starts a decoder and waits for its hello.
func spawn(l *launcher, config PoolConfig) (*child, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	conn, err := net.FileConn(ours) // has a descriptor of its own
	_ = ours.Close()
	if err != nil {
		_ = theirs.Close()
		return nil, fmt.Errorf("imaging: socket: %w", err)
	}
	c := &child{conn: conn.(*net.UnixConn), exited: make(chan struct{})}
	c.process = exec.Command(config.Command[0], append(slices.Clone(config.Command[1:]), strconv.FormatInt(config.MemoryLimit, 10))...)
	c.process.Env = childEnvironment(config.Env)
	c.process.ExtraFiles = []*os.File{theirs}
	c.process.SysProcAttr = childAttributes()
	c.process.WaitDelay = time.Second
	c.stderr = &stderrLog{log: config.Log}
	c.process.Stderr = c.stderr
	err = l.start(c.process)
	_ = theirs.Close() // or its death would not show as an end of file
	if err != nil {
		_ = c.conn.Close()
		return nil, fmt.Errorf("imaging: start a decoder: %w", err)
	}
	go func() {
		_ = c.process.Wait() // how it ended shows in process.ProcessState
		close(c.exited)
	}()
	_ = c.conn.SetReadDeadline(time.Now().Add(helloTimeout))
	if err := readMessage(c.conn, &c.hello); err != nil {
		c.kill()
		return nil, fmt.Errorf("imaging: the decoder said nothing (is imaging.DecoderMain called first?): %w%s", err, c.epitaph())
	}
	if c.hello.Error != "" {
		c.kill()
		return nil, fmt.Errorf("imaging: the decoder cannot work: %s", c.hello.Error)
	}
	return c, nil
}

// childEnvironment is all the environment that a decoder has: none of the server's own, for there are secrets in it.
func childEnvironment(extra []string) []string {
	return append([]string{
		"MALLOC_ARENA_MAX=2", // a fifth less memory, no loss of speed (DESIGN §12)
		"GOMAXPROCS=2",       // one for the work, one for the runtime
		"VIPS_CONCURRENCY=1",
		"VIPS_DISC_THRESHOLD=1000g", // large pictures stay in memory: there is no disk
	}, extra...)
}

func socketPair() (ours, theirs *os.File, err error) {
	syscall.ForkLock.RLock() // no other child may inherit them
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("imaging: socketpair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "decoder"), os.NewFile(uintptr(fds[1]), "server"), nil
}

// errTimedOut and errCancelled say why an exchange was given up; any other error means that the decoder has died.
var (
	errTimedOut  = errors.New("imaging: the decoder took too long")
	errCancelled = errors.New("imaging: the request was withdrawn")
)

// cancelGrace is how long a request that nobody waits for any more may still run: most end within it, and a new process
// costs more than the rest of their work.
const cancelGrace = time.Second

// exchange sends a request and waits for the reply. After an error the child is of no use any more.
func (c *child) exchange(ctx context.Context, request wireRequest, fds []int, timeout time.Duration) (wireReply, error) {
	var reply wireReply
	message, err := encodeMessage(request)
	if err != nil {
		return reply, err
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	deadline := time.Now().Add(timeout)
	_ = c.conn.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() {
		if grace := time.Now().Add(cancelGrace); grace.Before(deadline) {
			_ = c.conn.SetDeadline(grace)
		}
	})
	defer stop()
	n, _, err := c.conn.WriteMsgUnix(message, rights, nil)
	if err == nil && n < len(message) {
		_, err = c.conn.Write(message[n:])
	}
	if err == nil {
		err = readMessage(c.conn, &reply)
	}
	switch {
	case err == nil:
		c.served++
		c.rss = reply.RSS
		return reply, nil
	case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil && time.Now().Before(deadline):
		return reply, errCancelled
	case errors.Is(err, os.ErrDeadlineExceeded):
		return reply, errTimedOut
	}
	return reply, err
}

func (c *child) pid() int { return c.process.Process.Pid }

// kill ends the process, stopped or not, and waits until it is reaped.
func (c *child) kill() {
	_ = c.process.Process.Kill()
	_ = c.conn.Close()
	<-c.exited
}

// epitaph says how a dead process ended, for the log.
func (c *child) epitaph() string {
	select {
	case <-c.exited:
		return fmt.Sprintf(" (%s; last words: %q)", c.process.ProcessState, c.stderr.last())
	default:
		return ""
	}
}

// stderrLog logs what a decoder writes to its standard error at debug level, up to a bound: a crash dump is long, and a
// hostile picture may make a library say anything at any length.
type stderrLog struct {
	log *slog.Logger

	mu     sync.Mutex
	tail   []byte
	logged int
}

const (
	stderrLogged = 16 << 10 // bytes logged for each process
	stderrTail   = 256      // bytes kept for the epitaph
)

func (s *stderrLog) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if room := stderrLogged - s.logged; room > 0 {
		text := p[:min(len(p), room)]
		s.logged += len(text)
		for line := range bytes.Lines(text) {
			s.log.Debug("decoder", "stderr", string(bytes.TrimRight(line, "\r\n")))
		}
	}
	s.tail = append(s.tail, p[max(0, len(p)-stderrTail):]...)
	s.tail = s.tail[max(0, len(s.tail)-stderrTail):]
	return len(p), nil
}

func (s *stderrLog) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(bytes.TrimSpace(s.tail))
}
