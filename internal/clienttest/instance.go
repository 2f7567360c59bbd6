package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kadr-app/kadr/internal/served"
)

// window is how much of a request the kernel takes in before somebody reads it, in bytes: far less than a photograph.
const window = 64 << 10

// instance is the program, running, and a witness before it.
type instance struct {
	url     string // the witness's
	program *served.Program
	proxy   *http.Server
	witness atomic.Pointer[witness]
}

func start(ctx context.Context, kadr, data string) (*instance, error) {
	address, err := served.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	in := &instance{url: "http://" + l.Addr().String()}
	if in.program, err = served.Start(ctx, kadr, address, data, os.Stderr, "KADR_PUBLIC_URL="+in.url); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	in.proxy = in.newProxy(&url.URL{Scheme: "http", Host: address})
	go func() { _ = in.proxy.Serve(l) }()
	return in, nil
}

func (in *instance) stop() error { return errors.Join(in.proxy.Close(), in.program.Stop()) }

// watched lets a witness see all requests from now on.
func (in *instance) watched(w *witness) { in.witness.Store(w) }

func (in *instance) newProxy(to *url.URL) *http.Server {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
			if w := in.witness.Load(); w != nil {
				w.asked(r.Out)
			}
		},
		ModifyResponse: func(res *http.Response) error {
			if w := in.witness.Load(); w != nil {
				w.replied(res)
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	return &http.Server{
		Handler: proxy, ReadHeaderTimeout: time.Minute,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetReadBuffer(window)
			}
			return ctx
		},
	}
}

// holds says what of the accounts and pictures is not as the stories leave it.
func (in *instance) holds(ctx context.Context, told []*story, size int64) error {
	list, err := in.program.Run(ctx, "admin", "list")
	if err != nil {
		return fmt.Errorf("list the accounts: %w", err)
	}
	rows := map[string]string{}
	for _, row := range strings.Split(strings.TrimSpace(list), "\n")[1:] {
		fields := strings.Fields(row)
		rows[fields[0]] = strings.Join(fields[2:4], " pictures of bytes ")
	}
	var errs []error
	for _, s := range told {
		if want := fmt.Sprintf("%d pictures of bytes %d", kept, kept*size); s.err == nil && rows[s.name] != want {
			errs = append(errs, fmt.Errorf("%s has %q, not %q", s.name, rows[s.name], want))
		}
		delete(rows, s.name)
	}
	if len(rows) > 0 {
		errs = append(errs, fmt.Errorf("accounts that nobody was to make: %v", rows))
	}
	return errors.Join(errs...)
}
