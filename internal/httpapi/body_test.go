package httpapi

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
)

// A client that sends too slowly, or not at all, is let go; one that is slow but steady is not. The patience of these
// tests is short, so they drive the middleware alone, on a real connection.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	const patience = 150 * time.Millisecond
	s := &Server{cfg: Config{MaxUploadBytes: 1 << 20, Patience: patience}, log: slog.New(slog.DiscardHandler)}
	e := echo.New()
	e.HTTPErrorHandler = s.handleError
	e.Use(s.observe, s.recoverPanics, s.limitTransfer)
	e.POST("/read", func(c echo.Context) error {
		b, err := io.ReadAll(c.Request().Body)
		if err != nil {
			return err
		}
		// Work that takes longer than the client's patience is not the client's fault.
		select {
		case <-time.After(2 * patience):
		case <-c.Request().Context().Done():
			return errors.New("the request was given up while it was at work")
		}
		return c.String(http.StatusOK, string(b))
	})
	e.POST("/refuse", func(echo.Context) error { return errNoSuchPath })
	server := httptest.NewServer(headAsGet(e))
	t.Cleanup(server.Close)

	for name, tc := range map[string]struct {
		head   string
		send   func(net.Conn)
		status int
	}{
		"nothing comes":             {"POST /read HTTP/1.1\r\nContent-Length: 5", func(net.Conn) {}, 408},
		"nothing comes, in chunks":  {"POST /read HTTP/1.1\r\nTransfer-Encoding: chunked", func(net.Conn) {}, 408},
		"it stops":                  {"POST /read HTTP/1.1\r\nContent-Length: 50", func(c net.Conn) { _, _ = io.WriteString(c, "hello") }, 408},
		"a byte now and then":       {"POST /read HTTP/1.1\r\nContent-Length: 50", drip(50, patience/4), 408},
		"steady":                    {"POST /read HTTP/1.1\r\nContent-Length: 5", drip(5, patience/10), 200},
		"refused before it was due": {"POST /refuse HTTP/1.1\r\nContent-Length: 5", func(net.Conn) {}, 404},
		"refused, in chunks":        {"POST /refuse HTTP/1.1\r\nTransfer-Encoding: chunked", drip(1000, patience/2), 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.WriteString(conn, tc.head+"\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			go tc.send(conn)
			start := time.Now()
			reply, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("no reply after %s: %v", time.Since(start), err)
			}
			defer reply.Body.Close()
			b, _ := io.ReadAll(reply.Body)
			if reply.StatusCode != tc.status {
				t.Errorf("got %d, want %d: %s", reply.StatusCode, tc.status, b)
			}
			if tc.status == 408 && !reply.Close {
				t.Error("the connection stays open")
			}
			// The connection is either good for another request or at its end; it does not hang.
			if !reply.Close {
				return
			}
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
				t.Errorf("the connection is not closed: %v", err)
			}
		})
	}
	t.Run("keep-alive", func(t *testing.T) {
		t.Parallel()
		// Deadlines of one request do not reach into the next.
		for range 3 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/read", strings.NewReader("hello"))
			if err != nil {
				t.Fatal(err)
			}
			reply, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(reply.Body)
			reply.Body.Close()
			if err != nil || string(b) != "hello" {
				t.Errorf("%s %v", b, err)
			}
			time.Sleep(patience)
		}
	})
}

// drip sends bytes, or chunks of one where many are meant, with a pause before each.
func drip(n int, pause time.Duration) func(net.Conn) {
	text := "x"
	if n >= 1000 {
		text = "1\r\nx\r\n"
	}
	return func(c net.Conn) {
		for range n {
			time.Sleep(pause)
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
}

// The time that a client has grows with what it has sent, and only waiting for it counts.
func TestPatience(t *testing.T) {
	t.Parallel()
	deadlines := &deadlineRecorder{ResponseWriter: httptest.NewRecorder()}
	b := &body{source: io.NopCloser(strings.NewReader(strings.Repeat("x", 10_000))), control: http.NewResponseController(deadlines), patience: time.Second}
	allowed := func(read int) time.Duration {
		start := time.Now()
		if _, err := b.Read(make([]byte, read)); err != nil {
			t.Fatal(err)
		}
		return deadlines.last.Sub(start).Round(100 * time.Millisecond)
	}
	if d := allowed(5000); d != time.Second {
		t.Errorf("at first %s", d)
	}
	b.waited = 4 * time.Second // 5,000 bytes earned four seconds
	if d := allowed(10); d != time.Second {
		t.Errorf("who has earned its time has %s", d)
	}
	b.waited += 500 * time.Millisecond
	if d := allowed(10); d != 500*time.Millisecond {
		t.Errorf("who has used up half has %s", d)
	}
	for {
		if _, err := b.Read(make([]byte, 4096)); err != nil {
			break
		}
	}
	if !deadlines.last.IsZero() {
		t.Error("after the end the deadline stays")
	}
}

// A large file is sent under a deadline for each part of it, so that a reader who is slow gets it and one who stopped
// does not keep it open.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	for size, want := range map[int64]int{0: 0, 10: 1, slice: 1, slice + 1: 2, 5*slice + 7: 6} {
		deadlines := &deadlineRecorder{ResponseWriter: httptest.NewRecorder()}
		response := echo.NewResponse(deadlines, echo.New())
		response.WriteHeader(http.StatusOK)
		w := &fileWriter{ResponseWriter: response, patience: time.Second}
		n, err := io.CopyN(w, strings.NewReader(strings.Repeat("x", int(size)+5)), size)
		if err != nil || n != size || deadlines.count != want || response.Size != size {
			t.Errorf("%d bytes: sent %d and counted %d under %d deadlines, want %d: %v", size, n, response.Size, deadlines.count, want, err)
		}
		if within := time.Until(deadlines.last); want > 0 && (within < time.Second || within > 2*time.Minute) {
			t.Errorf("the deadline is in %s", within)
		}
	}
	w := &fileWriter{ResponseWriter: echo.NewResponse(httptest.NewRecorder(), echo.New())}
	if n, err := w.ReadFrom(strings.NewReader("no limit")); n != 8 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

type deadlineRecorder struct {
	http.ResponseWriter
	last  time.Time
	count int
}

func (r *deadlineRecorder) SetReadDeadline(at time.Time) error { r.last = at; return nil }

func (r *deadlineRecorder) SetWriteDeadline(at time.Time) error {
	r.last = at
	r.count++
	return nil
}

// A reply that fails after it has begun is cut off, for there is no other way left to say that it is not whole.
func TestBrokenReply(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := &Server{log: slog.New(LogHandler(slog.NewTextHandler(&log, nil)))}
	e := echo.New()
	e.HTTPErrorHandler = s.handleError
	e.Use(s.observe, s.recoverPanics)
	e.GET("/", func(c echo.Context) error {
		_ = c.String(http.StatusOK, "half")
		c.Response().Flush()
		return errors.New("the rest is missing")
	})
	e.GET("/panic", func(echo.Context) error { panic("a secret of ours") })
	server := httptest.NewServer(headAsGet(e))
	reply, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(reply.Body); err == nil {
		t.Errorf("the reply looks whole: %s", b)
	}
	reply.Body.Close()
	if reply, err = http.Get(server.URL + "/panic"); err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(reply.Body)
	reply.Body.Close()
	if reply.StatusCode != http.StatusInternalServerError || strings.Contains(string(b), "secret") {
		t.Errorf("%d %s", reply.StatusCode, b)
	}
	server.Close()
	for _, want := range []string{"the rest is missing", "panic: a secret of ours", "path=/ ", "path=/panic ", "request_id="} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log.String())
		}
	}
}

// What reaches the error handler from a client that went away is nobody's fault.
func TestClientGone(t *testing.T) {
	t.Parallel()
	if p := problemOf(context.Canceled); p.status != statusClientClosedRequest {
		t.Errorf("got %d", p.status)
	}
}
