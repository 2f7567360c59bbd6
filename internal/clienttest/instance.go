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
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// window is how much of a request the kernel takes in before somebody reads it, in bytes: far less than a photograph.
const window = 64 << 10

// instance is the program, running, with everything it needs in one folder, and a witness before it.
type instance struct {
	url     string // the witness's
	kadr    string
	env     []string
	server  *exec.Cmd
	proxy   *http.Server
	witness atomic.Pointer[witness]
}

func start(ctx context.Context, kadr, data string) (*instance, error) {
	in := &instance{kadr: kadr}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	in.url = "http://" + l.Addr().String()
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	in.env = append(environ(), "KADR_LISTEN="+address, "KADR_PUBLIC_URL="+in.url, "KADR_DATA_DIR="+data, "KADR_LOG_LEVEL=warn")
	in.server = exec.Command(kadr, "serve")
	in.server.Env, in.server.Stderr = in.env, os.Stderr
	if err := in.server.Start(); err != nil {
		return nil, err
	}
	in.proxy = in.newProxy(&url.URL{Scheme: "http", Host: address})
	go func() { _ = in.proxy.Serve(l) }()
	if err := ready(ctx, in.url+"/readyz"); err != nil {
		return nil, errors.Join(err, in.stop())
	}
	return in, nil
}

func (in *instance) stop() error {
	err := in.proxy.Close()
	_ = in.server.Process.Signal(syscall.SIGTERM)
	return errors.Join(err, in.server.Wait())
}

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
	cmd := exec.CommandContext(ctx, in.kadr, "admin", "list")
	cmd.Env, cmd.Stderr = in.env, os.Stderr
	list, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("list the accounts: %w", err)
	}
	rows := map[string]string{}
	for _, row := range strings.Split(strings.TrimSpace(string(list)), "\n")[1:] {
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

func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// ready waits until an address answers well.
func ready(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for ; ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
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
	}
	return errors.New("the server does not get ready")
}
