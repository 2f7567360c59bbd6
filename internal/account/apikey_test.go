package account_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/token"
)

func TestAPIKey(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited(account.RegistrationOpen))
	b.person("anna")
	b.person("boris")
	anna, _ := b.signIn("anna")
	boris, _ := b.signIn("boris")
	made, key := b.key(anna, account.ScopeAccountRead, account.ScopeImagesWrite)
	if secret, ok := strings.CutPrefix(key, "kadr_"); !ok || !token.IsSecret(secret) || made.Prefix != key[:9] {
		t.Errorf("key %q with prefix %q", key, made.Prefix)
	}
	if made.LastUsedAt != nil || made.ExpiresAt != nil ||
		!slices.Equal(made.Scopes, []account.Scope{account.ScopeImagesWrite, account.ScopeAccountRead}) {
		t.Errorf("made %+v", made)
	}
	p, err := b.AuthenticateKey(t.Context(), key)
	if err != nil || p.AccountID != anna.AccountID || p.Name != "anna" || p.KeyID != made.ID || p.SessionID != "" {
		t.Fatalf("principal %+v, %v", p, err)
	}
	if !p.HasScope(account.ScopeImagesWrite) || !p.HasScope(account.ScopeImagesDelete, account.ScopeAccountRead) ||
		p.HasScope(account.ScopeImagesDelete) || p.HasScope() {
		t.Errorf("the scopes don't hold: %+v", p)
	}
	page, err := b.ListAPIKeys(t.Context(), anna, account.Position{}, 10)
	if err != nil || len(page.Items) != 1 || page.Items[0].LastUsedAt == nil || !page.Next.IsZero() {
		t.Errorf("list %+v, %v", page, err)
	}
	wantError(t, "somebody else's key", b.DeleteAPIKey(t.Context(), boris, made.ID), account.ErrAPIKeyNotFound)
	if err := b.DeleteAPIKey(t.Context(), anna, made.ID); err != nil {
		t.Fatal(err)
	}
	_, err = b.AuthenticateKey(t.Context(), key)
	wantError(t, "a revoked key", err, account.ErrUnauthenticated)
	for _, bad := range []string{"", "kadr_", key[5:], "kadr_" + token.Secret(), strings.ToUpper(key)} {
		_, err = b.AuthenticateKey(t.Context(), bad)
		wantError(t, bad, err, account.ErrUnauthenticated)
	}
}

func TestAPIKeyExpires(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited(account.RegistrationOpen))
	b.person("anna")
	anna, _ := b.signIn("anna")
	create := func(at time.Time) (account.APIKey, string, error) {
		return b.CreateAPIKey(t.Context(), anna, account.KeyRequest{
			Name: "a key", Scopes: []account.Scope{account.ScopeImagesRead}, ExpiresAt: &at,
		})
	}
	_, _, err := create(time.Now().Add(-time.Minute))
	wantCode(t, "in the past", err, apperr.Invalid, "expires_in_past", "/expires_at")
	made, key, err := create(time.Now().Add(time.Hour))
	if err != nil || made.ExpiresAt == nil {
		t.Fatalf("%+v, %v", made, err)
	}
	if _, err := b.AuthenticateKey(t.Context(), key); err != nil {
		t.Error(err)
	}
	b.exec(`UPDATE api_keys SET expires_at = now()`)
	_, err = b.AuthenticateKey(t.Context(), key)
	wantError(t, "an expired key", err, account.ErrUnauthenticated)
	if page, err := b.ListAPIKeys(t.Context(), anna, account.Position{}, 10); err != nil || len(page.Items) != 1 {
		t.Errorf("an expired key is still listed: %+v, %v", page, err)
	}
}

func TestAPIKeysHaveALimitAndPages(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited(account.RegistrationOpen))
	b.person("anna")
	anna, _ := b.signIn("anna")
	create := func(i int) error {
		_, _, err := b.CreateAPIKey(t.Context(), anna, account.KeyRequest{
			Name: fmt.Sprint(i), Scopes: []account.Scope{account.ScopeImagesRead},
		})
		return err
	}
	for i := range 90 {
		if err := create(i); err != nil {
			t.Fatal(err)
		}
	}
	wantTally(t, tally(t, together(32, create)), map[string]int{"": 10, "too_many_api_keys": 22})

	seen := map[string]bool{}
	var after account.Position
	var last time.Time
	for pages := 0; ; pages++ {
		page, err := b.ListAPIKeys(t.Context(), anna, after, 30)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range page.Items {
			if seen[k.ID] || !last.IsZero() && k.CreatedAt.After(last) {
				t.Errorf("key %s comes twice or out of order", k.ID)
			}
			seen[k.ID], last = true, k.CreatedAt
		}
		if after = page.Next; after.IsZero() {
			break
		}
	}
	if len(seen) != 100 {
		t.Errorf("%d keys on the pages", len(seen))
	}
}

func TestAPIKeyRefusesWhatIsNotValid(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited(account.RegistrationOpen))
	b.person("anna")
	anna, _ := b.signIn("anna")
	read := []account.Scope{account.ScopeImagesRead}
	for what, tc := range map[string]struct {
		in          account.KeyRequest
		code, field string
	}{
		"no name":       {account.KeyRequest{Scopes: read}, "invalid_name", "/name"},
		"two lines":     {account.KeyRequest{Name: "a\nb", Scopes: read}, "invalid_name", "/name"},
		"no scope":      {account.KeyRequest{Name: "a"}, "invalid_scopes", "/scopes"},
		"unknown scope": {account.KeyRequest{Name: "a", Scopes: append(slices.Clone(read), "root")}, "invalid_scopes", "/scopes"},
	} {
		_, _, err := b.CreateAPIKey(t.Context(), anna, tc.in)
		wantCode(t, what, err, apperr.Invalid, tc.code, tc.field)
	}
	if _, _, err := b.CreateAPIKey(t.Context(), anna, account.KeyRequest{Name: "\u0080\u009f", Scopes: read}); err != nil {
		t.Errorf("a name that keeps to the contract: %v", err)
	}
	_, _, err := b.CreateAPIKey(t.Context(), account.Principal{AccountID: token.ID()}, account.KeyRequest{Name: "a", Scopes: read})
	wantError(t, "an account that is gone", err, account.ErrUnauthenticated)
}
