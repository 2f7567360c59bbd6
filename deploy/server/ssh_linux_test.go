package server_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
)

// sshServer is an SSH server on the loopback that lets one key in, and runs what it is told in a box.
type sshServer struct {
	port     string
	known    string // its line in known_hosts
	key      string // the private key that it lets in
	mu       sync.Mutex
	commands []string
}

func (s *sshServer) ran() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commands
}

func newKey(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	return signer, string(pem.EncodeToMemory(block))
}

func serveSSH(t *testing.T, b *box) *sshServer {
	t.Helper()
	s := &sshServer{}
	client, key := newKey(t)
	s.key = key
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(_ ssh.ConnMetadata, offered ssh.PublicKey) (*ssh.Permissions, error) {
			if string(offered.Marshal()) != string(client.PublicKey().Marshal()) {
				return nil, errors.New("a stranger's key")
			}
			return &ssh.Permissions{}, nil
		},
	}
	host, _ := newKey(t)
	config.AddHostKey(host)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	_, s.port, _ = net.SplitHostPort(listener.Addr().String())
	s.known = "[127.0.0.1]:" + s.port + " " + string(ssh.MarshalAuthorizedKey(host.PublicKey()))
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.serve(conn, config, b)
		}
	}()
	return s
}

func (s *sshServer) serve(conn net.Conn, config *ssh.ServerConfig, b *box) {
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		channel, requests, err := offered.Accept()
		if err != nil {
			return
		}
		for request := range requests {
			var exec struct{ Command string }
			if request.Type != "exec" || ssh.Unmarshal(request.Payload, &exec) != nil {
				_ = request.Reply(false, nil)
				continue
			}
			_ = request.Reply(true, nil)
			s.run(channel, exec.Command, b)
			break
		}
	}
}

// run runs a command in the parent of Kadr's folder, as in a user's home.
func (s *sshServer) run(channel ssh.Channel, command string, b *box) {
	s.mu.Lock()
	s.commands = append(s.commands, command)
	s.mu.Unlock()
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir, cmd.Env = filepath.Dir(b.dir), b.environment()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = channel, channel, channel.Stderr()
	_ = cmd.Run()
	status := struct{ Status uint32 }{uint32(max(0, cmd.ProcessState.ExitCode()))}
	_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(status))
	_ = channel.Close()
}

// checkout is a copy of the repository as far as a deployment needs it.
func checkout(t *testing.T, version string) (script string) {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"docker-compose.yml": "# " + version + "\n", "nginx/nginx.conf": "# nginx\n", "deploy/k8s/base.yaml": "# k8s\n", "README.md": "# Kadr\n",
	} {
		write(t, filepath.Join(root, name), text)
	}
	folder := filepath.Join(root, "deploy", "server")
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", `mkdir -p "$1" && cp deploy update "$1"`, "sh", folder).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(folder, "deploy")
}

// deploy runs the script, with these variables besides those that reach the server.
func deploy(t *testing.T, s *sshServer, version string, variables ...string) (code int, said string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), checkout(t, version))
	cmd.Env = append(cmd.Environ(), "VERSION="+version, "DEPLOY_HOST=kadr@127.0.0.1", "DEPLOY_PORT="+s.port, "DEPLOY_TIMEOUT=1",
		"DEPLOY_KNOWN_HOSTS="+s.known, "DEPLOY_SSH_KEY="+strings.TrimSpace(s.key), "SSH_AUTH_SOCK=")
	cmd.Env = append(cmd.Env, variables...)
	out := new(strings.Builder)
	cmd.Stdout, cmd.Stderr = out, out
	code = run(t, cmd)
	if strings.Contains(out.String(), "PRIVATE KEY") {
		t.Error("the key is shown")
	}
	return code, out.String()
}

func TestDeployBySSH(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	s := serveSSH(t, b)
	code, said := deploy(t, s, "v1.0.0")
	if code != 0 {
		t.Fatalf("exit code %d:\n%s", code, said)
	}
	says(t, said, "v1.0.0 runs, and every service is healthy")
	b.has(t, "docker-compose.yml", "# v1.0.0\n")
	b.has(t, "nginx/nginx.conf", "# nginx\n")
	for _, name := range []string{"README.md", "deploy/k8s"} {
		if found, _ := filepath.Glob(filepath.Join(b.dir, name)); len(found) > 0 {
			t.Errorf("%s was sent too", name)
		}
	}
	b.wrong(t, "sick", "v1.1.0")
	code, said = deploy(t, s, "v1.1.0")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	says(t, said, "v1.0.0 → v1.1.0", "v1.0.0 runs again; v1.1.0 does not")
	b.has(t, "docker-compose.yml", "# v1.0.0\n")
	for _, command := range s.ran() {
		if strings.Contains(command, "PRIVATE") {
			t.Error("the key was sent")
		}
	}
}

// Somebody else's server gets nothing, and nothing odd reaches a shell.
func TestDeployRefuses(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	s := serveSSH(t, b)
	other := serveSSH(t, b)
	for name, test := range map[string]struct {
		variable, value string
		code            int
		says            string
	}{
		"another server":     {"DEPLOY_KNOWN_HOSTS", strings.ReplaceAll(other.known, other.port, s.port), 255, "host key"},
		"an unknown server":  {"DEPLOY_KNOWN_HOSTS", other.known, 255, "host key"},
		"no known server":    {"DEPLOY_KNOWN_HOSTS", "", 2, "DEPLOY_KNOWN_HOSTS"},
		"a stranger's key":   {"DEPLOY_SSH_KEY", strings.TrimSpace(other.key), 255, "denied"},
		"no version":         {"VERSION", "", 2, "VERSION"},
		"a branch":           {"VERSION", "main", 2, "VERSION"},
		"a version and more": {"VERSION", "v1.0.0'; touch x; '", 2, "VERSION"},
		"two lines":          {"VERSION", "v1.0.0\nv1.0.1", 2, "VERSION"},
		"an option":          {"DEPLOY_HOST", "-oProxyCommand=touch@x", 2, "DEPLOY_HOST"},
		"no user":            {"DEPLOY_HOST", "127.0.0.1", 2, "DEPLOY_HOST"},
		"a folder and more":  {"DEPLOY_DIR", "kadr; touch x", 2, "dir"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, said := deploy(t, s, "v1.0.0", test.variable+"="+test.value)
			if code != test.code || !strings.Contains(strings.ToLower(said), strings.ToLower(test.says)) {
				t.Errorf("exit code %d, not %d:\n%s", code, test.code, said)
			}
			if ran := s.ran(); len(ran) > 0 {
				t.Errorf("it ran %q", ran)
			}
		})
	}
}
