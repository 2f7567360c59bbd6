package cli_test

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy is a bad line to an instance: what comes over it is decided for each connection by its number, from 0. It leads to the
// instance itself, for what breaks on the way there is to be the instance's to notice.
type proxy struct {
	url         string
	connections atomic.Int64
}

// line is what one connection bears. A limit of -1 is none.
type line struct {
	up, down int64         // bytes until it breaks
	stall    bool          // it does not break then: nothing goes through any more
	pause    time.Duration // between eight kilobytes and eight more, on the way up
}

func newProxy(t *testing.T, in *instance, lineOf func(number int64) line) *proxy {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{url: "http://" + l.Addr().String()}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	t.Cleanup(func() {
		stop()
		l.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			number := p.connections.Add(1) - 1
			all.Go(func() { carry(ctx, near, in.address, lineOf(number)) })
		}
	})
	return p
}

// carry connects two ends until one of them, or the line, is through with it.
func carry(ctx context.Context, near net.Conn, address string, l line) {
	ctx, hangUp := context.WithCancel(ctx)
	defer hangUp()
	far, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		near.Close()
		return
	}
	defer context.AfterFunc(ctx, func() {
		near.Close()
		far.Close()
	})()
	one := func(to io.Writer, from io.Reader, limit int64, pause time.Duration) {
		defer hangUp()
		for left := limit; left != 0; {
			n := int64(8 << 10)
			if left > 0 {
				n = min(n, left)
			}
			n, err := io.CopyN(to, from, n)
			if err != nil {
				return
			}
			if left > 0 {
				left -= n
			}
			time.Sleep(pause)
		}
		if l.stall {
			<-ctx.Done()
		}
	}
	var both sync.WaitGroup
	both.Go(func() { one(far, near, l.up, l.pause) })
	both.Go(func() { one(near, far, l.down, 0) })
	both.Wait()
	near.Close()
	far.Close()
}
