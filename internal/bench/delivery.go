package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/kadr-app/kadr/internal/nginxtest"
)

const deliveryClients = 32

// oneConnection keeps nginx from closing a client's connection after its usual 1000 requests.
const oneConnection = "keepalive_requests 1000000000;"

// noLimits are settings of a gateway that bears more from one address than any visitor would send.
func noLimits() []string { return []string{"KADR_UNLIMITED=127.0.0.0/8"} }

// delivery compares warm pictures through nginx with what nginx does for a server that only names the file, and with nginx
// alone.
func (b *bench) delivery(ctx context.Context) error {
	k, err := b.start(ctx, port, "KADR_DELIVERY=accel", "KADR_TRUSTED_PROXIES=127.0.0.1/32")
	if err != nil {
		return err
	}
	defer func() { _ = k.stop() }()
	gateway, err := nginxtest.Start(ctx, nginxtest.Config{
		Upstream: strings.TrimPrefix(k.base, "http://"), Storage: b.storage(), HTTP: oneConnection, Settings: noLimits(), Log: os.Stderr,
	})
	if err != nil {
		return err
	}
	defer func() { _ = gateway.Stop() }()
	photo, err := b.photo12()
	if err != nil {
		return err
	}
	keys, err := b.members(k)
	if err != nil {
		return err
	}
	for _, s := range []struct {
		name, query, mediaType string
		data                   []byte
	}{
		{"warm 320 WebP", ".webp?w=320", "image/webp", photo},
		{"warm original of 100 KB", ".jpg", "image/jpeg", paddedJPEG(100 << 10).data},
		{"warm original of 1 MB", ".jpg", "image/jpeg", paddedJPEG(1 << 20).data},
	} {
		picture, err := b.store1(k, keys[0], s.data)
		if err != nil {
			return err
		}
		if err := b.deliver(ctx, gateway, s.name, picture, s.query, s.mediaType); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// deliver compares one picture.
func (b *bench) deliver(ctx context.Context, gateway *nginxtest.Gateway, name string, picture stored, query, mediaType string) error {
	path := picture.link + query
	body, err := fetch(gateway.URL + path)
	if err != nil {
		return err
	}
	file := picture.file
	if strings.Contains(query, "w=") {
		variant, err := fileWith(picture.folder, body)
		if err != nil {
			return err
		}
		file = filepath.Join(picture.folder, variant)
	}
	relative, err := filepath.Rel(b.storage(), file)
	if err != nil {
		return err
	}
	echo, err := b.bareEcho(ctx, "/_storage/"+filepath.ToSlash(relative), mediaType)
	if err != nil {
		return err
	}
	defer echo.stop()
	plain, err := nginxtest.Start(ctx, nginxtest.Config{
		Storage: b.storage(), HTTP: oneConnection, Log: os.Stderr,
		Server: `location / { root "` + b.storage() + `"; types {} default_type ` + mediaType + `; }`,
	})
	if err != nil {
		return err
	}
	defer func() { _ = plain.Stop() }()

	plainPath := "/" + filepath.ToSlash(relative)
	for _, url := range []string{echo.gateway.URL + path, plain.URL + plainPath} {
		if other, err := fetch(url); err != nil || !bytes.Equal(other, body) {
			return fmt.Errorf("%s does not send the same bytes: %w", url, err)
		}
	}
	what := fmt.Sprintf("%s (%d KB) by nginx, %d clients, ", name, len(body)>>10, deliveryClients)
	ours := load(gateway.Address, path, deliveryClients)
	if err := b.compare(ctx, what+"bare echo behind it", 0.85, ours, load(echo.gateway.Address, path, deliveryClients)); err != nil {
		return err
	}
	return b.compare(ctx, what+"nginx alone", 0, ours, load(plain.Address, plainPath, deliveryClients))
}

func fetch(url string) ([]byte, error) {
	reply, err := http.Get(url) //nolint:gosec // our own servers
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, reply.Status)
	}
	return io.ReadAll(reply.Body)
}

// bareEcho is a bare echo server behind an nginx of its own, which is set up as Kadr's is.
type bareEcho struct {
	cmd     *exec.Cmd
	gateway *nginxtest.Gateway
}

func (b *bench) bareEcho(ctx context.Context, redirect, contentType string) (*bareEcho, error) {
	cmd, err := self(bareEchoArgument, redirect, contentType)
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	e := &bareEcho{cmd: cmd}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		e.stop()
		return nil, err
	}
	address := strings.TrimSpace(line)
	if e.gateway, err = nginxtest.Start(ctx, nginxtest.Config{Upstream: address, Storage: b.storage(), HTTP: oneConnection, Settings: noLimits(), Log: os.Stderr}); err != nil {
		e.stop()
		return nil, err
	}
	return e, nil
}

func (e *bareEcho) stop() {
	if e.gateway != nil {
		_ = e.gateway.Stop()
	}
	_ = e.cmd.Process.Kill()
	_ = e.cmd.Wait()
}
