package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// kadr is a running server.
type kadr struct {
	cmd    *exec.Cmd
	base   string
	client *http.Client
}

// start runs the server's binary on the bench's PostgreSQL, as it would run for anybody.
func (b *bench) start(ctx context.Context, port int, env ...string) (*kadr, error) {
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	// Or else another bench's server would answer, and be measured.
	free, err := net.Listen("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		return nil, err
	}
	_ = free.Close()
	cmd := exec.Command(b.kadr, "serve")
	cmd.Env = append(os.Environ(),
		"KADR_LISTEN=127.0.0.1:"+fmt.Sprint(port), "KADR_PUBLIC_URL="+base, "KADR_LOG_LEVEL=warn",
		"KADR_DATABASE_URL="+b.cluster.URL(), "KADR_DATA_DIR="+filepath.Join(b.dir, "data"))
	cmd.Env = append(cmd.Env, env...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	k := &kadr{cmd: cmd, base: base, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if reply, err := k.client.Get(base + "/readyz"); err == nil {
			_ = reply.Body.Close()
			if reply.StatusCode == http.StatusOK {
				return k, nil
			}
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return nil, errors.Join(errors.New("the server does not get ready"), k.stop())
		}
	}
}

func (k *kadr) stop() error {
	if err := k.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return k.cmd.Wait()
}

var keyPattern = regexp.MustCompile(`kadr_[a-z2-7]{26}`)

// members returns the API keys of eight accounts that keep metadata, so that files are stored as they are. They are made
// once: an address may register only so often.
func (b *bench) members(k *kadr) ([]string, error) {
	const password = "a bench's password"
	for i := len(b.keys); i < writers; i++ {
		credentials := map[string]any{"name": fmt.Sprintf("bench-%d", i), "password": password}
		if _, _, err := k.call(http.MethodPost, "/api/v1/accounts", nil, credentials); err != nil {
			return nil, err
		}
		_, header, err := k.call(http.MethodPost, "/api/v1/sessions", nil, credentials)
		if err != nil {
			return nil, err
		}
		cookie := http.Header{"Cookie": {header.Get("Set-Cookie")}}
		patch := cookie.Clone()
		patch.Set("Content-Type", "application/merge-patch+json")
		if _, _, err := k.call(http.MethodPatch, "/api/v1/account", patch, map[string]any{"keep_metadata": true}); err != nil {
			return nil, err
		}
		body, _, err := k.call(http.MethodPost, "/api/v1/api-keys", cookie, map[string]any{
			"name": "bench", "scopes": []string{"images:read", "images:write"},
		})
		if err != nil {
			return nil, err
		}
		b.keys = append(b.keys, keyPattern.FindString(string(body)))
	}
	return b.keys, nil
}

func (k *kadr) call(method, path string, header http.Header, body any) ([]byte, http.Header, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, nil, err
	}
	req, err := http.NewRequest(method, k.base+path, bytes.NewReader(b))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	for name, values := range header {
		req.Header[name] = values
	}
	return k.do(req)
}

// uploader sends pictures as raw bodies over one connection, with as little work of its own as can be: net/http's client
// would take as much of the cores as the server.
type uploader struct {
	conn    net.Conn
	reader  *bufio.Reader
	request string
}

func (k *kadr) uploaders(keys []string, mediaType string) ([]*uploader, error) {
	address := strings.TrimPrefix(k.base, "http://")
	all := make([]*uploader, len(keys))
	for i, key := range keys {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return nil, err
		}
		all[i] = &uploader{conn: conn, reader: bufio.NewReader(conn), request: "POST /api/v1/images?format=txt&allow_duplicate=true HTTP/1.1\r\n" +
			"Host: " + address + "\r\nAuthorization: Bearer " + key + "\r\nContent-Type: " + mediaType + "\r\nContent-Length: "}
	}
	return all, nil
}

func (u *uploader) upload(p *payload) error {
	parts := p.parts()
	head := u.request + strconv.Itoa(len(p.data)) + "\r\n\r\n"
	message := append(net.Buffers{[]byte(head)}, parts[:]...)
	if _, err := message.WriteTo(u.conn); err != nil {
		return err
	}
	return readReply(u.reader)
}

func (k *kadr) do(req *http.Request) ([]byte, http.Header, error) {
	reply, err := k.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err == nil && reply.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", req.Method, req.URL.Path, reply.Status, body)
	}
	return body, reply.Header, err
}
