package cli_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/kadr-app/kadr/internal/cli"
)

// TestProgram is what only the real program can show: signals, terminals, and shells.
func TestProgram(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	in.register(t, "admin")
	binary := build(t)
	for name, test := range map[string]func(*testing.T, program){
		"interrupt": testInterrupt,
		"terminal":  testTerminal,
		"readme":    testReadme,
		"bash":      testBash,
		"zsh":       testZsh,
		"fish":      testFish,
	} {
		p := in.register(t, name)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, program{binary: binary, person: p, config: t.TempDir(), key: p.uploader(t).APIKey})
		})
	}
}

// build builds the real thing; it goes with the test.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "kadr")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", binary, "../../cmd/kadr").CombinedOutput(); err != nil {
		t.Fatalf("build kadr: %v\n%s", err, out)
	}
	return binary
}

// program is the real one, for somebody.
type program struct {
	*person
	binary, config, key string
}

// command returns the program with a shell's environment; without a key it goes by what login has kept.
func (p program) command(t *testing.T, url, key string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.binary, args...)
	cmd.Env = []string{"XDG_CONFIG_HOME=" + p.config, "HOME=" + p.config, "PATH=" + os.Getenv("PATH"), "TERM=xterm", "KADR_URL=" + url, "KADR_API_KEY=" + key}
	return cmd
}

func testInterrupt(t *testing.T, p program) {
	slow := newProxy(t, p.in, func(int64) line { return line{up: -1, down: -1, pause: 100 * time.Millisecond} })
	file := write(t, t.TempDir(), "a.jpg", append(large(1), make([]byte, 9<<20)...)) // more than a part
	me, err := p.GetAccountWithResponse(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	mine := func() int {
		files, err := filepath.Glob(filepath.Join(p.in.dir, "storage", "uploads", me.JSON200.ID, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd := p.command(t, slow.url, p.key, "upload", file)
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is under way", func() bool { return mine() > 0 })
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != cli.ExitInterrupted || said.String() != "kadr: interrupted\n" {
			t.Errorf("%v: %v: %s", sig, err, &said)
		}
		eventually(t, "nothing is left of it", func() bool { return mine() == 0 })
	}
}

// screen is what a terminal shows.
type screen struct {
	tty *os.File

	mu   sync.Mutex
	text strings.Builder
}

// onTerminal starts a command with a terminal of its own for all that it does not have otherwise.
func onTerminal(t *testing.T, cmd *exec.Cmd) *screen {
	t.Helper()
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 120})
	if err != nil {
		t.Fatal(err)
	}
	s := &screen{tty: tty}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b := make([]byte, 4<<10)
		for {
			n, err := tty.Read(b)
			s.mu.Lock()
			s.text.Write(b[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has mostly ended
		tty.Close()
		<-ended
	})
	return s
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *screen) waitFor(t *testing.T, text string) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("the terminal shows %q", s)
		}
	}()
	eventually(t, text+" is shown", func() bool { return strings.Contains(s.String(), text) })
}

func (s *screen) enter(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(s.tty, text); err != nil {
		t.Fatal(err)
	}
}

// testTerminal is about what is shown where somebody looks, and what is not.
func testTerminal(t *testing.T, p program) {
	login := p.command(t, "", "", "login")
	s := onTerminal(t, login)
	for _, step := range [][2]string{{"Address of the instance: ", p.in.url}, {"API key (", ""}, {"Name: ", p.name}, {"Password: ", password}} {
		s.waitFor(t, step[0])
		time.Sleep(50 * time.Millisecond) // the echo is turned off after the question
		s.enter(t, step[1]+"\n")
	}
	s.waitFor(t, "Signed in to "+p.in.url)
	if err := login.Wait(); err != nil || strings.Contains(s.String(), password) || strings.Contains(s.String(), "kadr_") {
		t.Errorf("%v: %q", err, s)
	}

	interrupted := p.command(t, "", "", "login", p.in.url)
	s = onTerminal(t, interrupted)
	s.waitFor(t, "API key (")
	time.Sleep(50 * time.Millisecond)
	s.enter(t, "\x03")
	if err := interrupted.Wait(); interrupted.ProcessState.ExitCode() != cli.ExitInterrupted {
		t.Errorf("Ctrl-C at a question: %v: %q", err, s)
	}

	slow := newProxy(t, p.in, func(int64) line { return line{up: -1, down: -1, pause: time.Millisecond} })
	files := []string{write(t, t.TempDir(), "a.png", noise(t)), write(t, t.TempDir(), "b.jpg", large(2)), write(t, t.TempDir(), "c.jpg", []byte("text"))}
	progress := regexp.MustCompile(`3 files +\d+% .*\([\d.]+ ?/[\d.]+ [kM]iB, [\d.]+ [kM]iB/s\)`)
	for _, test := range []struct {
		flags    []string
		progress bool
	}{{nil, true}, {[]string{"--quiet"}, false}} {
		cmd := p.command(t, slow.url, p.key, append(append([]string{"upload", "--allow-duplicate"}, test.flags...), files...)...)
		var out bytes.Buffer
		cmd.Stdout = &out
		s = onTerminal(t, cmd)
		s.waitFor(t, "1 of 3 files are not stored")
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != cli.ExitFailed || strings.Count(out.String(), "\n") != 2 {
			t.Errorf("%v: %q", err, &out)
		}
		if progress.MatchString(s.String()) != test.progress {
			t.Errorf("%v: the terminal shows %q", test.flags, s)
		}
		if !strings.Contains(s.String(), "c.jpg: ") {
			t.Errorf("the failure is not told: %q", s)
		}
	}
}

// complete types into a shell, with the Tab key, and asserts the words that a command line comes to. What it runs is the
// program as far as completion goes, and otherwise writes its arguments down.
func (p program) complete(t *testing.T, shell []string, setup string) {
	t.Helper()
	folder := t.TempDir()
	write(t, folder, "work/a picture.jpg", small(1))
	arguments := filepath.Join(folder, "arguments")
	wrapper := write(t, folder, "bin/kadr", []byte("#!/bin/sh\ncase $1 in __complete* | completion) exec '"+p.binary+"' \"$@\" ;; esac\nprintf '%s\\n' \"$@\" >'"+arguments+"'\n"))
	if err := os.Chmod(wrapper, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := p.command(t, "", "", "")
	path, err := exec.LookPath(shell[0])
	if err != nil {
		t.Fatal(err)
	}
	cmd.Path, cmd.Args, cmd.Dir = path, shell, filepath.Join(folder, "work")
	cmd.Env = append(cmd.Env, "PATH="+filepath.Dir(wrapper)+":"+os.Getenv("PATH"), "PS1=> ")
	s := onTerminal(t, cmd)
	s.enter(t, setup+"; echo re''ady\n")
	s.waitFor(t, "ready")
	for typed, want := range map[string]string{
		"kadr upl\t--form\tmark\t a\t":   "upload\n--format\nmarkdown\na picture.jpg\n",
		"kadr upload --visibility pri\t": "upload\n--visibility\nprivate\n",
		"kadr admin sig\t":               "admin\nsigning-key\n",
		"kadr logo\t":                    "logout\n",
	} {
		if err := os.RemoveAll(arguments); err != nil {
			t.Fatal(err)
		}
		s.enter(t, typed+"\n")
		eventually(t, "the command has run", func() bool {
			text, err := os.ReadFile(arguments)
			return err == nil && bytes.HasSuffix(text, []byte("\n"))
		})
		if text, err := os.ReadFile(arguments); err != nil || strings.ReplaceAll(string(text), "--format=", "--format\n") != want {
			t.Errorf("%q becomes %q, not %q (%v)\n%q", typed, text, want, err, s)
		}
	}
}

func testBash(t *testing.T, p program) {
	library := ""
	for _, share := range []string{"/usr/share", "/opt/homebrew/share", "/usr/local/share", "/home/linuxbrew/.linuxbrew/share"} {
		name := filepath.Join(share, "bash-completion", "bash_completion")
		if _, err := os.Stat(name); err == nil {
			library = name
		}
	}
	p.complete(t, []string{"bash", "--norc", "--noprofile", "-i"}, ". '"+library+"'; . <(kadr completion bash)")
}

func testZsh(t *testing.T, p program) {
	p.complete(t, []string{"zsh", "-f", "-i"}, "autoload -U compinit; compinit -D -u; . <(kadr completion zsh)")
}

func testFish(t *testing.T, p program) {
	p.complete(t, []string{"fish", "-i"}, "kadr completion fish | source")
}

// testReadme pastes the README's section into a shell.
func testReadme(t *testing.T, p program) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "\n## From the shell\n")
	_, script, _ := strings.Cut(section, "\n```sh\n")
	script, _, found := strings.Cut(script, "\n```\n")
	if !found {
		t.Fatal("there is no such section, or no commands in it")
	}
	folder := t.TempDir()
	write(t, folder, "photo.jpg", small(1))
	write(t, folder, "another.jpg", small(2))
	if err := os.MkdirAll(filepath.Join(folder, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(p.binary, filepath.Join(folder, "bin", "kadr")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euc", strings.ReplaceAll(script, "http://localhost:8080", p.in.url)+"\ncomplete -p kadr")
	cmd.Dir, cmd.Env = folder, append(p.command(t, "", "").Env, "KEY="+p.key)
	said, err := cmd.CombinedOutput()
	want := regexp.MustCompile(`^(http://\S+)\n!\[another\.jpg\]\(http://\S+\)\n!\[photo\.jpg\]\((http://\S+)\)\n(http://\S+)\ncomplete .* kadr\n$`)
	if links := want.FindStringSubmatch(string(said)); err != nil || links == nil || links[1] != links[2] || links[1] != links[3] {
		t.Errorf("%v:\n%s", err, said)
	}
}
