package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// serve starts the program with a private database, and returns how to end it. Its limits by address don't matter, since
// every request names an address of its own (X-Forwarded-For), which is believed.
func (r *run) serve(ctx context.Context, data string) (stop func() error, err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	r.url = "http://" + address
	log, err := os.Create(filepath.Join(r.out, "server.log"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(r.kadr, "serve")
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "KADR_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, "KADR_LISTEN="+address, "KADR_PUBLIC_URL="+r.url, "KADR_DATA_DIR="+data,
		"KADR_TRUSTED_PROXIES=127.0.0.0/8", "KADR_LOG_LEVEL=warn")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	stop = func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		return errors.Join(cmd.Wait(), log.Close())
	}
	if err := ready(ctx, r.url+"/readyz"); err != nil {
		return nil, errors.Join(err, stop())
	}
	return stop, nil
}

// ready waits until an address answers well.
func ready(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
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
	return errors.New("the server does not get ready; see server.log")
}
