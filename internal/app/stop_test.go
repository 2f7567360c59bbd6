package app_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"
)

// slowUpload is an upload whose second half is held back.
type slowUpload struct {
	file   []byte
	finish func() // sends the second half
	giveUp func() // ends the request without it
	reply  chan uploadReply
}

type uploadReply struct {
	status int
	picture
	err error
}

// startUpload returns once the server has the first half.
func startUpload(t *testing.T, c *client) *slowUpload {
	t.Helper()
	u := &slowUpload{
		file: newPictureOf(rand.New(rand.NewPCG(3, 3)), 1200, 900, false), reply: make(chan uploadReply, 1),
	}
	body, half := io.Pipe()
	begun := make(chan struct{})
	go func() {
		_, _ = half.Write(u.file[:len(u.file)/2]) // it returns when the client's connection has taken it
		close(begun)
	}()
	u.finish = func() {
		_, _ = io.Copy(half, bytes.NewReader(u.file[len(u.file)/2:]))
		_ = half.Close()
	}
	u.giveUp = func() { _ = half.CloseWithError(io.ErrUnexpectedEOF) }
	t.Cleanup(u.giveUp)
	go func() {
		status, p, err := c.upload(context.WithoutCancel(t.Context()), "", body)
		u.reply <- uploadReply{status: status, picture: p, err: err}
	}()
	<-begun
	time.Sleep(100 * time.Millisecond) // for the last of it to come through
	return u
}

// refusesConnections reports whether nobody listens there.
func refusesConnections(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err == nil {
		conn.Close()
	}
	return err != nil
}

// stopDuringUpload ends a server while an upload is under way, and expects it to keep the picture, and to leave nothing
// running.
func stopDuringUpload(t *testing.T, binary string, env []string, end func(*process)) {
	t.Helper()
	s := start(t, kadrServe(t, binary), env)
	c := newClients(t, env, s.addr, 1)[0]
	family := children(t, s.pid())
	decoders := slices.Collect(maps.Keys(family))
	decoders = slices.DeleteFunc(decoders, func(pid int) bool { return family[pid] == "postgres" })
	u := startUpload(t, c)
	end(s)
	eventually(t, "new connections are refused", func() bool { return refusesConnections(s.addr) })
	time.Sleep(300 * time.Millisecond)
	for _, pid := range decoders {
		if !alive(pid) {
			t.Errorf("decoder %d has ended before the upload", pid)
		}
	}
	u.finish()
	if r := <-u.reply; r.err != nil || r.status != http.StatusCreated {
		t.Errorf("the upload: %d, %v", r.status, r.err)
	}
	if code := s.wait(t); code != 0 {
		t.Errorf("it ended with %d\n%s", code, s.stderr)
	}
	for pid, name := range family {
		if alive(pid) {
			t.Errorf("its child %d (%s) is left", pid, name)
		}
	}
	// The promise holds.
	s = start(t, kadrServe(t, binary), env)
	if blobs, _ := filesOf(t, env); blobs != 1 {
		t.Errorf("%d pictures are kept", blobs)
	}
	s.stop(t)
}

// systemd sends the signal to all of a service.
func testStopLetsUploadEnd(t *testing.T, binary string) {
	stopDuringUpload(t, binary, settings(t, "KADR_DECODERS=2"), func(s *process) { s.signalGroup(syscall.SIGTERM) })
}

// A terminal sends the signal to the decoders and to the private database as well.
func testInterruptLetsUploadEnd(t *testing.T, binary string) {
	stopDuringUpload(t, binary, settings(t, "KADR_DECODERS=2", "KADR_DATABASE_URL="), func(s *process) { s.signalGroup(syscall.SIGINT) })
}

func testSecondSignal(t *testing.T, binary string) {
	env := settings(t, "KADR_DECODERS=2", "KADR_DATABASE_URL=")
	s := start(t, kadrServe(t, binary), env)
	c := newClients(t, env, s.addr, 1)[0]
	family := children(t, s.pid())
	if len(family) != 3 {
		t.Errorf("two decoders and a database: %v", family)
	}
	u := startUpload(t, c)
	s.signal(syscall.SIGTERM)
	eventually(t, "new connections are refused", func() bool { return refusesConnections(s.addr) })
	s.signal(syscall.SIGTERM)
	if code := s.wait(t); code != -1 {
		t.Errorf("it ended with %d", code)
	}
	u.giveUp() // net/http waits for the rest of the body even where the connection has gone
	if r := <-u.reply; r.err == nil {
		t.Errorf("the upload: %d", r.status)
	}
	for pid, name := range family {
		eventually(t, "its child "+name+" has ended", func() bool { return !alive(pid) })
	}
}

// testDelay is a stop with KADR_SHUTDOWN_DELAY: readiness says no while everything else is still answered, on connections that
// end, and then nobody is let in.
func testDelay(t *testing.T, binary string) {
	env := settings(t, "KADR_DECODERS=1", "KADR_SHUTDOWN_DELAY=2s")
	s := start(t, kadrServe(t, binary), env)
	c := newClients(t, env, s.addr, 1)[0]
	if status, _, _, err := c.do(t.Context(), http.MethodGet, "/readyz", nil); err != nil || status != http.StatusOK {
		t.Fatalf("before: %d, %v", status, err)
	}
	u := startUpload(t, c)
	begun := time.Now()
	s.signal(syscall.SIGTERM)
	eventually(t, "it is not ready", func() bool {
		status, _, _, err := c.do(t.Context(), http.MethodGet, "/readyz", nil)
		if err != nil {
			t.Errorf("while it stops: %v", err)
		}
		return status == http.StatusServiceUnavailable
	})
	if took := time.Since(begun); took > time.Second {
		t.Errorf("it took %s to say that it is not ready", took)
	}
	res, err := c.http.Get(c.base + "/api/v1/feed")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK || !res.Close {
		t.Errorf("while it stops: %d, and the connection ends: %v", res.StatusCode, res.Close)
	}
	eventually(t, "new connections are refused", func() bool { return refusesConnections(s.addr) })
	if took := time.Since(begun); took < 2*time.Second {
		t.Errorf("nobody was let in after %s", took)
	}
	u.finish()
	if r := <-u.reply; r.err != nil || r.status != http.StatusCreated {
		t.Errorf("the upload: %d, %v", r.status, r.err)
	}
	if code := s.wait(t); code != 0 {
		t.Errorf("it ended with %d\n%s", code, s.stderr)
	}
}
