package cli

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kadr-app/kadr/gen/client"
)

const loginHelp = `Asks for an instance's address, and for an API key or a name and a password, and keeps the address and a key for
kadr upload, in a file that only you can read. Of the password nothing is kept: it makes an API key that is named after
this machine and may upload, and no more.

Without a terminal it reads the answers from standard input, a line each: the address unless it is an argument, the key
or an empty line, and after an empty one the name and the password.

KADR_URL and KADR_API_KEY win over what it keeps.`

// login is what is kept.
type login struct {
	URL  string `json:"url"`
	Name string `json:"name,omitempty"` // of the account, where a password made the key
	Key  string `json:"key"`
}

func loginFile(s Settings) string { return filepath.Join(s.Dir, "kadr", "login.json") }

// readLogin returns what is kept, or nothing.
func readLogin(s Settings) (l login, err error) {
	if s.Dir == "" {
		return login{}, nil
	}
	text, err := os.ReadFile(loginFile(s))
	if errors.Is(err, os.ErrNotExist) {
		return login{}, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	if err == nil {
		l.URL, err = parseURL(l.URL)
	}
	if err != nil {
		return login{}, Usagef("%s cannot be read (kadr login makes it anew): %w", loginFile(s), err)
	}
	return l, nil
}

// write keeps the login, so that nobody else can read it, and all at once.
func (l login) write(s Settings) error {
	name := loginFile(s)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(name), ".login-") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // which is not there any more when all went well
	_, err = file.Write(append(text, '\n'))
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), name)
}

// signedIn returns the instance with the key to use there: the environment's, or else those of the last login. A key that
// was kept for one instance is never sent to another.
func signedIn(s Settings) (*instance, error) {
	kept, err := readLogin(s)
	if err != nil && (s.URL == "" || s.APIKey == "") {
		return nil, err
	}
	address := cmp.Or(s.URL, kept.URL)
	if address == "" && s.APIKey != "" {
		return nil, Usagef("KADR_URL has to say where the instance is.")
	}
	if address == "" {
		return nil, exitError{ExitRefused, errors.New("not signed in: run kadr login, or set KADR_URL and KADR_API_KEY")}
	}
	if address, err = parseURL(address); err != nil {
		return nil, Usagef("KADR_URL: %w", err)
	}
	key := s.APIKey
	if key == "" && kept.URL == address {
		key = kept.Key
	}
	if key == "" {
		return nil, exitError{ExitRefused, fmt.Errorf("not signed in to %s: run kadr login, or set KADR_API_KEY", address)}
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, Usagef("KADR_API_KEY is no API key: one begins with kadr_")
	}
	return newInstance(address, key, s, nil)
}

func loginCommand(s Settings) *cobra.Command {
	return &cobra.Command{
		Use: "login [ADDRESS]", Short: "keep an instance's address and an API key for uploads", Long: loginHelp,
		Args:              atMost(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if s.Dir == "" {
				return Usagef("there is no folder for your settings: set HOME or XDG_CONFIG_HOME")
			}
			ask := newAsker(cmd)
			var l login
			address, err := ask.unless(args, "Address of the instance: ")
			if err != nil {
				return err
			}
			if l.URL, err = parseURL(address); err != nil {
				return Usagef("%w", err)
			}
			if l.Key, err = ask.secret("API key (or nothing, to sign in with a name and a password): "); err != nil {
				return err
			}
			if l.Key == "" {
				err = l.byPassword(cmd.Context(), s, ask)
			} else {
				err = l.byKey(cmd.Context(), s)
			}
			if err != nil {
				return refusal(err)
			}
			if err := l.write(s); err != nil {
				return fmt.Errorf("keep the login: %w", err)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Signed in to %s. The key is in %s.\n", l.URL, loginFile(s))
			return nil
		},
	}
}

// refusal gives an error about who asks its exit code.
func refusal(err error) error {
	var no *problem
	if errors.As(err, &no) && (no.refused() || no.code == "wrong_credentials") {
		return exitError{ExitRefused, err}
	}
	return err
}

// nobodysUpload is an id that no upload has. To ask for it shows what a key may do: who may upload hears that it is not there.
const nobodysUpload = "aaaaaaaaaaaaa"

func (l *login) byKey(ctx context.Context, s Settings) error {
	to, err := newInstance(l.URL, l.Key, s, nil)
	if err != nil {
		return err
	}
	_, err = to.GetUploadWithResponse(ctx, nobodysUpload, nil)
	var no *problem
	if errors.As(err, &no) && no.code == "upload_not_found" {
		return nil
	}
	return cmp.Or(err, errNotKadr)
}

// byPassword signs in for as long as it takes to make a key.
func (l *login) byPassword(ctx context.Context, s Settings, ask *asker) error {
	name, err := ask.line("Name: ")
	if err != nil {
		return err
	}
	password, err := ask.secret("Password: ")
	if err != nil {
		return err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	to, err := newInstance(l.URL, "", s, jar)
	if err != nil {
		return err
	}
	if _, err := to.CreateSessionWithResponse(ctx, nil, client.SessionCreate{Name: name, Password: password}); err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
		defer cancel()
		_, _ = to.DeleteCurrentSessionWithResponse(ctx) // else it expires
	}()
	made, err := to.CreateAPIKeyWithResponse(ctx, nil, client.APIKeyCreate{Name: keyName(), Scopes: []client.Scope{client.ScopeImagesWrite}})
	if err != nil {
		return err
	}
	if made.JSON201 == nil {
		return errNotKadr
	}
	l.Name, l.Key = name, made.JSON201.Key
	return nil
}

// keyName names the key after this machine.
func keyName() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		return "kadr upload"
	}
	return "kadr upload on " + string([]rune(printable(host))[:min(60, len([]rune(host)))])
}

// asker asks whoever is at the terminal, or reads the answers where there is none.
type asker struct {
	ctx      context.Context //nolint:containedctx // of the one command that it serves
	out      io.Writer
	in       *bufio.Reader
	terminal *os.File // nil where there is none
}

func newAsker(cmd *cobra.Command) *asker {
	a := &asker{ctx: cmd.Context(), out: cmd.ErrOrStderr(), in: bufio.NewReader(cmd.InOrStdin())}
	if file, ok := cmd.InOrStdin().(*os.File); ok && isTerminal(file) {
		a.terminal = file
	}
	return a
}

func (a *asker) line(prompt string) (string, error) {
	return a.answer(prompt, func() (string, error) { return a.in.ReadString('\n') })
}

// unless is line where no argument answers already.
func (a *asker) unless(args []string, prompt string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	return a.line(prompt)
}

// secret is line without an echo.
func (a *asker) secret(prompt string) (string, error) {
	if a.terminal == nil {
		return a.line(prompt)
	}
	fd := int(a.terminal.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("ask the terminal: %w", err)
	}
	answer, err := a.answer(prompt, func() (string, error) {
		b, err := term.ReadPassword(fd)
		return string(b), err
	})
	fmt.Fprintln(a.out) // the one that was not echoed
	if a.ctx.Err() != nil {
		_ = term.Restore(fd, before) // nothing can be done for a terminal that is gone
	}
	return answer, err
}

// answer waits for one; an interrupted process waits no longer.
func (a *asker) answer(prompt string, read func() (string, error)) (string, error) {
	if a.terminal != nil {
		fmt.Fprint(a.out, prompt)
	}
	type reply struct {
		text string
		err  error
	}
	replies := make(chan reply, 1)
	go func() {
		text, err := read()
		replies <- reply{text, err}
	}()
	select {
	case <-a.ctx.Done():
		return "", exitError{ExitInterrupted, errors.New("interrupted")}
	case r := <-replies:
		if r.err != nil && (r.err != io.EOF || r.text == "") { //nolint:errorlint // readers return it as it is
			if r.err == io.EOF { //nolint:errorlint // see above
				return "", Usagef("there is no answer to %q", strings.TrimSpace(prompt))
			}
			return "", fmt.Errorf("read the answer: %w", r.err)
		}
		return strings.TrimRight(r.text, "\r\n"), nil
	}
}
