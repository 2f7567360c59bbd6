package cli_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/kadr-app/kadr/gen/client"
	"github.com/kadr-app/kadr/internal/app"
	"github.com/kadr-app/kadr/internal/cli"
	"github.com/kadr-app/kadr/internal/config"
	"github.com/kadr-app/kadr/internal/httpapi/contracttest"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/imaging/imagetest"
	"github.com/kadr-app/kadr/internal/testdb"
)

func TestMain(m *testing.M) {
	imaging.DecoderMain() // the instances start their decoders from this binary
	os.Exit(m.Run())
}

const (
	password = "a long and private sentence"
	patience = time.Minute // on a machine that is busy with other tests
)

// instance is the whole program, running, with a database and a folder of its own.
type instance struct {
	url, dir string
	address  string // where it listens itself
}

// newInstance starts one; settings are "NAME=value", without the prefix. Whatever the command, or a test, says to it is held
// against the contract.
func newInstance(t *testing.T, settings ...string) *instance {
	t.Helper()
	address, inner := freeAddress(t), freeAddress(t)
	in := &instance{url: "http://" + address, dir: t.TempDir(), address: inner}
	environ := map[string]string{
		"KADR_LISTEN": inner, "KADR_PUBLIC_URL": in.url, "KADR_DATA_DIR": in.dir, "KADR_DATABASE_URL": testdb.New(t).URL,
		"KADR_DATABASE_MAX_CONNS": "6", "KADR_DECODERS": "1", "KADR_TRUSTED_PROXIES": "127.0.0.0/8",
	}
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		environ["KADR_"+name] = value
	}
	cfg, err := config.Parse(environ)
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), cfg, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})))
	if err != nil {
		t.Fatal(err)
	}
	contracttest.Front(t, address, inner)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, a.Close()); err != nil {
			t.Errorf("the instance did not stop cleanly: %v", err)
		}
	})
	return in
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// person is somebody with an account, signed in. Their requests come from an address of their own, for signing in is
// limited by that.
type person struct {
	*client.ClientWithResponses
	in   *instance
	name string
}

func (in *instance) register(t *testing.T, name string) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.NewClientWithResponses(in.url, client.WithHTTPClient(&http.Client{Jar: jar}))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := c.CreateAccountWithResponse(t.Context(), nil, client.AccountCreate{Name: name, Password: password}); err != nil || r.JSON201 == nil {
		t.Fatalf("register: %v\n%s", err, r.Body)
	}
	if r, err := c.CreateSessionWithResponse(t.Context(), nil, client.SessionCreate{Name: name, Password: password}); err != nil || r.JSON201 == nil {
		t.Fatalf("sign in: %v\n%s", err, r.Body)
	}
	return &person{c, in, name}
}

// key makes an API key.
func (p *person) key(t *testing.T, scopes ...client.Scope) string {
	t.Helper()
	r, err := p.CreateAPIKeyWithResponse(t.Context(), nil, client.APIKeyCreate{Name: "test", Scopes: scopes})
	if err != nil || r.JSON201 == nil {
		t.Fatalf("make a key: %v\n%s", err, r.Body)
	}
	return r.JSON201.Key
}

// images lists the account's pictures, the newest first.
func (p *person) images(t *testing.T) []client.Image {
	t.Helper()
	r, err := p.ListImagesWithResponse(t.Context(), nil)
	if err != nil || r.JSON200 == nil {
		t.Fatalf("list the pictures: %v\n%s", err, r.Body)
	}
	return r.JSON200.Items
}

// uploader returns settings with a new key that may upload.
func (p *person) uploader(t *testing.T) cli.Settings {
	t.Helper()
	return cli.Settings{URL: p.in.url, APIKey: p.key(t, client.ScopeImagesWrite), Dir: t.TempDir(), Version: "test"}.Hasty()
}

// result is what came of a command.
type result struct {
	code     int
	out, err string
}

func (r result) lines() []string { return strings.Split(strings.TrimSuffix(r.out, "\n"), "\n") }

// want asserts the exit code and what standard error has; without any it has to be empty.
func (r result) want(t *testing.T, code int, said ...string) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit code %d, not %d\n%s%s", r.code, code, r.out, r.err)
	}
	for _, s := range said {
		if !strings.Contains(r.err, s) {
			t.Errorf("%q is not told:\n%s", s, r.err)
		}
	}
	if len(said) == 0 && r.err != "" {
		t.Errorf("it says:\n%s", r.err)
	}
	return r
}

// run runs a command in this process.
func run(ctx context.Context, s cli.Settings, stdin io.Reader, args ...string) result {
	var out, said bytes.Buffer
	root := &cobra.Command{Use: "kadr", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(cli.Commands(s)...)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(&out)
	root.SetErr(&said)
	err := root.ExecuteContext(ctx)
	if err != nil {
		said.WriteString(err.Error())
	}
	return result{cli.ExitCode(err), out.String(), said.String()}
}

func upload(t *testing.T, s cli.Settings, args ...string) result {
	t.Helper()
	return run(t.Context(), s, strings.NewReader(""), append([]string{"upload"}, args...)...)
}

// write makes a file in a folder and returns its path.
func write(t *testing.T, folder, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// small is a picture that goes in one request; large goes in parts.
func small(number uint64) []byte { return imagetest.Photograph(number, 80, 60) }

func large(number uint64) []byte { return imagetest.Photograph(number, 1000, 750) }

// fetch follows a link.
func fetch(t *testing.T, link string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", link, r.Status, err)
	}
	return b
}

// unfinished counts the files of uploads in parts that the instance holds.
func (in *instance) unfinished(t *testing.T) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(in.dir, "storage", "uploads", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
