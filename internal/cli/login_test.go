package cli_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kadr-app/kadr/gen/client"
	"github.com/kadr-app/kadr/internal/cli"
)

// answer runs a command with answers on standard input, a line each.
func answer(t *testing.T, s cli.Settings, args []string, answers ...string) result {
	t.Helper()
	return run(t.Context(), s, strings.NewReader(strings.Join(answers, "\n")+"\n"), args...)
}

func TestLogin(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	anna := in.register(t, "anna")
	s := cli.Settings{Dir: filepath.Join(t.TempDir(), "not there yet"), Version: "test"}.Hasty()
	kept := filepath.Join(s.Dir, "kadr", "login.json")
	file := write(t, t.TempDir(), "a.jpg", small(1))
	secret := func() string {
		t.Helper()
		info, err := os.Stat(kept)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%v, %v", info, err)
		}
		text, err := os.ReadFile(kept)
		if err != nil || strings.Contains(string(text), password) {
			t.Fatalf("%v: %s", err, text)
		}
		_, key, _ := strings.Cut(string(text), `"key": "`)
		key, _, _ = strings.Cut(key, `"`)
		return key
	}

	// By a password: it leaves a key that may upload and no more, and no session.
	r := answer(t, s, []string{"login"}, in.url+"/", "", "anna", password).want(t, 0, "Signed in to "+in.url+".", kept)
	key := secret()
	if strings.Contains(r.err, key) || strings.Contains(r.err, password) || r.out != "" {
		t.Errorf("it says %q and %q", r.out, r.err)
	}
	keys, err := anna.ListAPIKeysWithResponse(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if items := keys.JSON200.Items; len(items) != 1 || items[0].Name != "kadr upload on "+host || len(items[0].Scopes) != 1 || items[0].Scopes[0] != client.ScopeImagesWrite {
		t.Errorf("the keys: %+v", items)
	}
	sessions, err := anna.ListSessionsWithResponse(t.Context(), nil)
	if err != nil || len(sessions.JSON200.Items) != 1 {
		t.Errorf("the sessions: %v, %+v", err, sessions.JSON200)
	}
	url := upload(t, s, file).want(t, 0).out

	// A failed login leaves the one before as it is.
	answer(t, s, []string{"login", in.url}, "", "anna", "wrong "+password).want(t, cli.ExitRefused, "(request ")
	answer(t, s, []string{"login", in.url}, "kadr_"+strings.Repeat("a", 26)).want(t, cli.ExitRefused, "The API key is not valid")
	answer(t, s, []string{"login", in.url}, anna.key(t, client.ScopeImagesRead)).want(t, cli.ExitRefused, "images:write")
	answer(t, s, []string{"login", "pictures.example.org"}, key).want(t, cli.ExitUsage, "is no address of an instance")
	answer(t, s, []string{"login", in.url}, "", "anna").want(t, cli.ExitUsage, `there is no answer to "Password:"`)
	answer(t, s, []string{"login", in.url, "more"}).want(t, cli.ExitUsage, "at most 1")
	answer(t, s, []string{"login", "http://" + freeAddress(t)}, key).want(t, cli.ExitFailed, "connection refused")
	if secret() != key {
		t.Error("the login is another")
	}

	// The key belongs to its instance.
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another instance is sent %s", r.Header.Get("Authorization"))
	}))
	defer other.Close()
	elsewhere := s
	elsewhere.URL = other.URL
	upload(t, elsewhere, file).want(t, cli.ExitRefused, "not signed in to "+other.URL)

	// Signing out revokes it.
	run(t.Context(), s, nil, "logout").want(t, 0, "Signed out of "+in.url+". The key is revoked.")
	if _, err := os.Stat(kept); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	revoked := cli.Settings{URL: in.url, APIKey: key}.Hasty()
	upload(t, revoked, file).want(t, cli.ExitRefused, "The API key is not valid")
	upload(t, s, file).want(t, cli.ExitRefused, "not signed in: run kadr login")
	run(t.Context(), s, nil, "logout").want(t, 0, "Nobody is signed in.")

	// By a key, which is its owner's and stays valid.
	own := anna.key(t, client.ScopeImagesWrite, client.ScopeImagesRead)
	answer(t, s, []string{"login", strings.ToUpper(in.url[:4]) + in.url[4:]}, own).want(t, 0, "Signed in to "+in.url)
	if again := upload(t, s, file).want(t, 0).out; again != url {
		t.Errorf("%s, not %s", again, url)
	}
	run(t.Context(), s, nil, "logout").want(t, 0, "The key itself stays valid")
	revoked.APIKey = own
	upload(t, revoked, file).want(t, 0)

	// Signed out here, though the instance is away.
	answer(t, s, []string{"login", in.url}, "", "anna", password).want(t, 0, "Signed in")
	text, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	write(t, s.Dir, "kadr/login.json", []byte(strings.Replace(string(text), in.url, "http://"+freeAddress(t), 1)))
	run(t.Context(), s, nil, "logout").want(t, cli.ExitFailed, "signed out here, but the key is still valid", "connection refused")

	// A file that somebody else wrote.
	write(t, s.Dir, "kadr/login.json", []byte("{"))
	upload(t, s, file).want(t, cli.ExitUsage, "kadr login makes it anew")
	answer(t, s, []string{"login", in.url}, own).want(t, 0, "Signed in")
	upload(t, s, file).want(t, 0)
	answer(t, cli.Settings{}.Hasty(), []string{"login", in.url}, own).want(t, cli.ExitUsage, "no folder for your settings")
}
