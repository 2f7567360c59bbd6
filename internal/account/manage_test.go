package account_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/token"
)

func TestUpdate(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited(account.RegistrationOpen))
	before := b.person("anna")
	b.person("boris")
	anna, sessionToken := b.signIn("anna")
	got, _, err := b.Update(t.Context(), anna, account.Patch{
		Email: ptr("anna@example.org"), KeepMetadata: ptr(true), DefaultVisibility: ptr(account.VisibilityPublic),
	}, func(revision int64) bool { return revision == 1 })
	if err != nil || got.Email != "anna@example.org" || !got.KeepMetadata || got.DefaultVisibility != account.VisibilityPublic ||
		got.Name != "anna" || got.Revision != 2 || !got.UpdatedAt.After(before.UpdatedAt) {
		t.Errorf("%+v, %v", got, err)
	}
	if p, err := b.AuthenticateSession(t.Context(), sessionToken); err != nil || !p.KeepMetadata || p.DefaultVisibility != "public" {
		t.Errorf("the principal does not know: %+v, %v", p, err)
	}
	_, _, err = b.Update(t.Context(), anna, account.Patch{Email: ptr("")}, func(revision int64) bool { return revision == 1 })
	wantCode(t, "an old revision", err, apperr.PreconditionFailed, "precondition_failed", "")
	if a, err := b.Get(t.Context(), anna); err != nil || a != got {
		t.Errorf("a refused change left something: %+v, %v", a, err)
	}
	if a, _, err := b.Update(t.Context(), anna, account.Patch{Email: ptr("")}, nil); err != nil || a.Email != "" || !a.KeepMetadata {
		t.Errorf("an email that is taken away: %+v, %v", a, err)
	}
	_, _, err = b.Update(t.Context(), anna, account.Patch{Name: ptr("boris")}, nil)
	wantError(t, "somebody's name", err, account.ErrNameTaken)
	for what, patch := range map[string]account.Patch{
		"name": {Name: ptr("NO")}, "email": {Email: ptr("no")}, "visibility": {DefaultVisibility: ptr(account.Visibility("no"))},
		"password": {Password: ptr("short"), CurrentPassword: password}, "current password": {Password: ptr(password)},
	} {
		if _, _, err = b.Update(t.Context(), anna, patch, nil); apperr.KindOf(err) != apperr.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestUpdateOneOfManyWins(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited(account.RegistrationOpen))
	b.person("anna")
	anna, _ := b.signIn("anna")
	errs := together(16, func(i int) error {
		_, _, err := b.Update(t.Context(), anna, account.Patch{Email: ptr(fmt.Sprintf("a%d@example.org", i))},
			func(revision int64) bool { return revision == 1 })
		return err
	})
	wantTally(t, tally(t, errs), map[string]int{"": 1, "precondition_failed": 15})
}

func TestRenameTakesThePicturesAlong(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited(account.RegistrationOpen))
	a, other := b.person("anna"), b.person("boris")
	anna, _ := b.signIn("anna")
	b.picture(a.ID, "aaaaaaaaaaaaa")
	b.picture(a.ID, "bbbbbbbbbbbbb")
	b.picture(other.ID, "ccccccccccccc")
	if got, _, err := b.Update(t.Context(), anna, account.Patch{Name: ptr("anya")}, nil); err != nil || got.Name != "anya" {
		t.Fatalf("%+v, %v", got, err)
	}
	if n := b.count(`SELECT count(*) FROM images WHERE account_name = 'anya' AND account_id = $1 AND revision = 2`, a.ID); n != 2 {
		t.Errorf("%d pictures have the new name", n)
	}
	if n := b.count(`SELECT count(*) FROM images WHERE account_name = 'boris' AND revision = 1`); n != 1 {
		t.Error("somebody else's picture was touched")
	}
	b.signIn("anya")
}

func TestNewPassword(t *testing.T) {
	t.Parallel()
	cfg := unlimited(account.RegistrationOpen)
	cfg.SignInPerName = account.Limit{Quota: 3, Window: time.Hour}
	b := newBench(t, cfg)
	b.person("anna")
	anna, mine := b.signIn("anna")
	_, other := b.signIn("anna")
	_, key := b.key(anna, account.ScopeImagesRead)
	change := func(current, next string) ([]account.LimitState, error) {
		_, limits, err := b.Update(t.Context(), anna, account.Patch{Password: &next, CurrentPassword: current}, nil)
		return limits, err
	}
	const next = "another long sentence"
	_, err := change("not the password", next)
	wantCode(t, "a wrong current password", err, apperr.Forbidden, "wrong_password", "/current_password")
	if _, err := b.AuthenticateSession(t.Context(), other); err != nil {
		t.Errorf("a refused change ended a session: %v", err)
	}
	if limits, err := change(password, next); err != nil || len(limits) != 1 || limits[0].Remaining != 2 {
		t.Fatalf("%+v, %v", limits, err)
	}
	if _, err := b.AuthenticateSession(t.Context(), mine); err != nil {
		t.Errorf("the session that changed it ended: %v", err)
	}
	_, err = b.AuthenticateSession(t.Context(), other)
	wantError(t, "the other session", err, account.ErrUnauthenticated)
	if _, err := b.AuthenticateKey(t.Context(), key); err != nil {
		t.Errorf("a key ended: %v", err)
	}
	_, _, err = b.SignIn(t.Context(), account.SignIn{Name: "anna", Password: password, Address: home})
	wantError(t, "the old password", err, account.ErrWrongCredentials)
	if _, _, err = b.SignIn(t.Context(), account.SignIn{Name: "anna", Password: next, Address: home}); err != nil {
		t.Errorf("the new password: %v", err)
	}
	_, err = change("not the password", next) // the third failure
	wantError(t, "a wrong current password", err, account.ErrWrongPassword)
	_, err = change(next, password)
	wantError(t, "over the limit that signing in shares", err, account.ErrRateLimited)
}

// Whoever knows the old password and signs in while it is replaced must not keep a session.
func TestNewPasswordLeavesNoSessionBehind(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited(account.RegistrationOpen))
	b.person("anna")
	anna, _ := b.signIn("anna")
	current := password
	for round := range 5 {
		next := fmt.Sprintf("%s, number %d", password, round)
		errs := together(16, func(i int) error {
			if i == 0 {
				_, _, err := b.Update(t.Context(), anna, account.Patch{Password: &next, CurrentPassword: current}, nil)
				return err
			}
			_, _, err := b.SignIn(t.Context(), account.SignIn{Name: "anna", Password: current, Address: home})
			return err
		})
		if errs[0] != nil {
			t.Fatal(errs[0])
		}
		if counts := tally(t, errs); counts[""]+counts["wrong_credentials"] != 16 {
			t.Errorf("outcomes %v", counts)
		}
		if n := b.count(`SELECT count(*) FROM sessions WHERE id <> $1`, anna.SessionID); n != 0 {
			t.Fatalf("%d sessions outlived the password", n)
		}
		current = next
	}
}

// Two changes that both know the old password: the second must not undo the first.
func TestNewPasswordChecksAgainUnderTheLock(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited(account.RegistrationOpen))
	b.person("anna")
	anna, _ := b.signIn("anna")
	errs := together(8, func(i int) error {
		_, _, err := b.Update(t.Context(), anna, account.Patch{Password: ptr(fmt.Sprintf("password number %d", i)), CurrentPassword: password}, nil)
		return err
	})
	wantTally(t, tally(t, errs), map[string]int{"": 1, "wrong_password": 7})
}

func TestDelete(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited(account.RegistrationOpen))
	b.person("admin")
	a, other := b.person("anna"), b.person("boris")
	anna, sessionToken := b.signIn("anna")
	_, key := b.key(anna, account.ScopeImagesRead)
	b.picture(a.ID, "aaaaaaaaaaaaa")
	b.picture(a.ID, "bbbbbbbbbbbbb")
	b.picture(other.ID, "ccccccccccccc")

	_, err := b.Delete(t.Context(), anna, "boris", nil)
	wantError(t, "the wrong name", err, account.ErrConfirmationMismatch)
	_, err = b.Delete(t.Context(), anna, "anna", func(int64) bool { return false })
	wantError(t, "an old revision", err, account.ErrPreconditionFailed)
	if n := b.count(`SELECT count(*) FROM images WHERE account_id = $1`, a.ID); n != 2 {
		t.Fatalf("a refused deletion left %d pictures", n)
	}
	images, err := b.Delete(t.Context(), anna, "anna", func(revision int64) bool { return revision == 1 })
	if err != nil || images != 2 {
		t.Fatalf("%d pictures, %v", images, err)
	}
	for table, want := range map[string]int{
		"accounts": 2, "account_usage": 2, "sessions": 0, "api_keys": 0, "images": 1, "blobs": 3, "deleted_images": 2,
	} {
		if n := b.count(`SELECT count(*) FROM ` + table); n != want {
			t.Errorf("%s has %d rows, want %d", table, n, want)
		}
	}
	if n := b.count(`SELECT count(*) FROM deleted_images WHERE id IN ('aaaaaaaaaaaaa', 'bbbbbbbbbbbbb')`); n != 2 {
		t.Error("the links don't know that they are gone")
	}
	_, err = b.AuthenticateSession(t.Context(), sessionToken)
	wantError(t, "its session", err, account.ErrUnauthenticated)
	_, err = b.AuthenticateKey(t.Context(), key)
	wantError(t, "its key", err, account.ErrUnauthenticated)
	_, err = b.Get(t.Context(), anna)
	wantError(t, "Get", err, account.ErrUnauthenticated)
	_, err = b.Usage(t.Context(), anna)
	wantError(t, "Usage", err, account.ErrUnauthenticated)
	_, _, err = b.Update(t.Context(), anna, account.Patch{KeepMetadata: ptr(true)}, nil)
	wantError(t, "Update", err, account.ErrUnauthenticated)
	_, err = b.Delete(t.Context(), anna, "anna", nil)
	wantError(t, "Delete", err, account.ErrUnauthenticated)
	b.person("anna") // the name is free again
}

func TestTheLastAdministratorStays(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited(account.RegistrationOpen))
	first, second := b.person("anna"), b.person("boris")
	del := func(a account.Account) error {
		_, err := b.Delete(t.Context(), account.Principal{AccountID: a.ID}, a.Name, nil)
		return err
	}
	wantError(t, "deleting", del(first), account.ErrLastAdministrator)
	wantError(t, "demoting", b.SetRole(t.Context(), "anna", account.RoleMember), account.ErrLastAdministrator)
	if err := b.SetRole(t.Context(), "boris", account.RoleAdmin); err != nil {
		t.Fatal(err)
	}
	errs := together(2, func(i int) error { return del([]account.Account{first, second}[i]) })
	// One leaves while the other is there; the other is then alone, and may leave too.
	wantTally(t, tally(t, errs), map[string]int{"": 2})

	b.person("clara")
	b.person("dora")
	b.person("emil")
	if err := b.SetRole(t.Context(), "dora", account.RoleAdmin); err != nil {
		t.Fatal(err)
	}
	errs = together(2, func(i int) error { return b.SetRole(t.Context(), []string{"clara", "dora"}[i], account.RoleMember) })
	wantTally(t, tally(t, errs), map[string]int{"": 1, "last_administrator": 1})
	if n := b.count(`SELECT count(*) FROM accounts WHERE role = 'admin'`); n != 1 {
		t.Errorf("%d administrators", n)
	}
}

func TestConsole(t *testing.T) {
	t.Parallel()
	cfg := unlimited(account.RegistrationClosed)
	cfg.DefaultQuotaBytes = 1000
	b := newBench(t, cfg)
	if a := b.person("zoe"); a.Role != account.RoleAdmin {
		t.Errorf("the first account is %+v", a)
	}
	a, err := b.CreateAccount(t.Context(), account.AccountRequest{
		Name: "anna", Password: password, Role: account.RoleAdmin, QuotaBytes: ptr(int64(7)),
	})
	if err != nil || a.Role != account.RoleAdmin {
		t.Fatalf("%+v, %v", a, err)
	}
	_, sessionToken := b.signIn("anna")
	if err := b.SetPassword(t.Context(), "anna", "another long sentence"); err != nil {
		t.Fatal(err)
	}
	_, err = b.AuthenticateSession(t.Context(), sessionToken)
	wantError(t, "after SetPassword", err, account.ErrUnauthenticated)
	if err := b.SetQuota(t.Context(), "zoe", nil); err != nil {
		t.Fatal(err)
	}
	list, err := b.ListAccounts(t.Context(), "", 1)
	if err != nil || len(list) != 1 || list[0].Name != "anna" || *list[0].Usage.QuotaBytes != 7 {
		t.Errorf("%+v, %v", list, err)
	}
	list, err = b.ListAccounts(t.Context(), "anna", 10)
	if err != nil || len(list) != 1 || list[0].Name != "zoe" || list[0].Usage.QuotaBytes != nil {
		t.Errorf("%+v, %v", list, err)
	}
	for what, err := range map[string]error{
		"SetPassword": b.SetPassword(t.Context(), "nobody", password),
		"SetRole":     b.SetRole(t.Context(), "nobody", account.RoleAdmin),
		"SetQuota":    b.SetQuota(t.Context(), "nobody", nil),
	} {
		wantError(t, what, err, account.ErrNotFound)
	}
	for what, err := range map[string]error{
		"SetPassword": b.SetPassword(t.Context(), "anna", "short"),
		"SetRole":     b.SetRole(t.Context(), "anna", "king"),
		"SetQuota":    b.SetQuota(t.Context(), "anna", ptr(int64(-1))),
	} {
		if apperr.KindOf(err) != apperr.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited(account.RegistrationOpen))
	a := b.person("anna")
	for _, age := range []string{"-1 hour", "1 hour"} {
		b.exec(`INSERT INTO sessions (id, account_id, token_hash, user_agent, address, expires_at)
			VALUES ($2, $1, sha256($2::text::bytea), '', '::', now() + $3::text::interval)`, a.ID, token.ID(), age)
		b.exec(`INSERT INTO invites (code_hash, expires_at) VALUES (sha256($1::text::bytea), now() + $1::text::interval)`, age)
		b.exec(`INSERT INTO rate_limits (key, tat) VALUES ($1, now() + $1::text::interval)`, age)
		b.exec(`INSERT INTO idempotency_keys (scope, key_hash, fingerprint, locked_until, created_at)
			VALUES ('a', sha256($1::text::bytea), '', now(), now() - interval '24 hours' + $1::text::interval)`, age)
	}
	swept, err := b.Sweep(t.Context())
	if err != nil || swept != (account.Swept{Sessions: 1, Invites: 1, Limits: 1, IdempotencyKeys: 1}) {
		t.Errorf("%+v, %v", swept, err)
	}
	if swept, err = b.Sweep(t.Context()); err != nil || swept != (account.Swept{}) {
		t.Errorf("the second time: %+v, %v", swept, err)
	}
}
