package nginxtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/kadr-app/kadr/nginx"
	"github.com/kadr-app/kadr/static"
)

// Check lets nginx look at the repository's own nginx.conf, with some of its text replaced (old, new, old, new …): what this
// machine need not know. What nginx says goes to log.
func Check(ctx context.Context, log io.Writer, oldnew ...string) error {
	binary, err := find()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "kadr-nginx-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := prepare(ctx, dir, Config{Storage: "/data/storage"}); err != nil {
		return err
	}
	name := filepath.Join(dir, "nginx.conf")
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	oldnew = append(oldnew, "/tmp/kadr/", dir+"/")
	for i := 0; i < len(oldnew); i += 2 {
		if !bytes.Contains(text, []byte(oldnew[i])) {
			return fmt.Errorf("nginx.conf does not say %q", oldnew[i])
		}
	}
	text = []byte(strings.NewReplacer(oldnew...).Replace(string(text)))
	if err := os.WriteFile(name, text, 0o600); err != nil { //nolint:gosec // the name is ours, whatever the text is
		return err
	}
	cmd := exec.CommandContext(ctx, binary, "-t", "-p", dir+"/", "-c", "nginx.conf", "-e", "stderr")
	cmd.Stdout, cmd.Stderr = log, log
	return cmd.Run()
}

// prepare lays out a folder as the container's start script does, by that script.
func prepare(ctx context.Context, dir string, config Config) error {
	shipped := filepath.Join(dir, "shipped")
	if err := WriteFiles(shipped, config.Edit...); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", filepath.Join(shipped, "start"), "prepare")
	cmd.Env = []string{
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"KADR_OUTER_PROXIES=127.0.0.0/8", "KADR_GATEWAY_ALT_SVC=", "KADR_GATEWAY_RUN=" + dir, "KADR_GATEWAY_STORAGE=" + config.Storage,
		"KADR_GATEWAY_ACME=" + filepath.Join(dir, "acme"), "KADR_TLS_CERTIFICATE=" + config.Certificate, "KADR_TLS_KEY=" + config.Key,
	}
	static := config.Static
	if static == "" {
		static = filepath.Join(dir, "static")
	}
	cmd.Env = append(append(cmd.Env, "KADR_GATEWAY_STATIC="+static), config.Settings...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nginx/start prepare: %w\n%s", err, out)
	}
	return nil
}

// WriteFiles puts the repository's files into a folder, with some of their text replaced (old, new, old, new …).
func WriteFiles(dir string, oldnew ...string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	edit := strings.NewReplacer(oldnew...)
	return fs.WalkDir(nginx.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(nginx.Files, name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), []byte(edit.Replace(string(text))), 0o700)
	})
}

// Pages lays out the repository's pages in a folder, as the container has them.
func Pages(ctx context.Context, dir string) error {
	from, scripts := filepath.Join(dir, "from"), filepath.Join(dir, "scripts")
	if err := os.CopyFS(from, static.Files); err != nil {
		return err
	}
	if err := WriteFiles(scripts); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "/bin/sh", filepath.Join(scripts, "compress"), from, filepath.Join(dir, "static")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("nginx/compress: %w\n%s", err, out)
	}
	return errors.Join(os.RemoveAll(from), os.RemoveAll(scripts))
}
