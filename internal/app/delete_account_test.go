package app_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"sync"
	"testing"

	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/app"
	"github.com/kadr-app/kadr/internal/config"
)

// An account goes with all of its pictures, and their bytes go soon after: without a sweep, and but for those that
// somebody else has too.
func TestDeletedAccountsBytesGo(t *testing.T) {
	t.Parallel()
	env := settings(t)
	a := boot(t, env)
	other := newClients(t, env, a.Addr().String(), 1)[0] // the first account, and so the administrator
	leaving := signIn(t, env, a.Addr().String(), "anna")

	const pictures = 60
	rng := rand.New(rand.NewPCG(7, 7))
	files := make([][]byte, pictures)
	for i := range files {
		files[i] = newPicture(rng, i%5 == 0)
	}
	links := make([]string, pictures)
	var uploading sync.WaitGroup
	for worker := range 4 {
		uploading.Go(func() {
			for i := worker; i < pictures; i += 4 {
				status, p, err := leaving.uploadBytes(t.Context(), "", files[i])
				if status != http.StatusCreated {
					t.Errorf("upload: %d, %v", status, err)
				}
				links[i] = p.URL
			}
		})
	}
	uploading.Wait()
	_, shared, err := other.uploadBytes(t.Context(), "", files[1])
	if err != nil {
		t.Fatal(err)
	}
	if blobs, _ := filesOf(t, env); blobs != pictures {
		t.Errorf("%d files of %d pictures", blobs, pictures)
	}

	status, _, reply, err := leaving.do(t.Context(), http.MethodDelete, "/api/v1/account?confirm=anna", nil)
	if err != nil || status != http.StatusNoContent {
		t.Fatalf("delete the account: %d, %s, %v", status, reply, err)
	}
	eventually(t, "only the other account's bytes are left", func() bool {
		blobs, _ := filesOf(t, env)
		return blobs == 1
	})
	for i, link := range links {
		if status, _, _, err := other.fetch(t.Context(), link); err != nil || status != http.StatusGone {
			t.Errorf("link %d of the deleted account: %d, %v", i, status, err)
		}
	}
	if status, _, got, err := other.fetch(t.Context(), shared.URL); err != nil || status != http.StatusOK || len(got) != len(files[1]) {
		t.Errorf("the other account's picture: %d, %d bytes, %v", status, len(got), err)
	}
}

// signIn makes an account with a password, and returns its client with a session.
func signIn(t *testing.T, env []string, addr, name string) *client {
	t.Helper()
	const password = "a password of some length"
	cfg := config.Config{DataDir: setting(env, "KADR_DATA_DIR"), DatabaseURL: setting(env, "KADR_DATABASE_URL")}
	err := app.WithAccounts(t.Context(), cfg, slog.New(slog.DiscardHandler), func(s *account.Service) error {
		_, err := s.CreateAccount(context.WithoutCancel(t.Context()), account.AccountRequest{Name: name, Password: password})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{http: &http.Client{Transport: newTransport(t), Jar: jar}, base: "http://" + addr}
	body := fmt.Sprintf(`{"name":%q,"password":%q}`, name, password)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.base+"/api/v1/sessions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		t.Fatalf("sign in: %s", res.Status)
	}
	return c
}
