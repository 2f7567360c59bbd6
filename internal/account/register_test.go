package account_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/token"
)

func signUp(name string) account.SignUp {
	return account.SignUp{Name: name, Password: password, Address: home}
}

func TestRegisterOpen(t *testing.T) {
	t.Parallel()
	cfg := unlimited(account.RegistrationOpen)
	cfg.DefaultQuotaBytes = 1000
	b := newBench(t, cfg)
	in := signUp("anna")
	in.Email = "anna@example.org"
	first, _, err := b.Register(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if first.Role != account.RoleAdmin || first.Email != in.Email || first.Name != "anna" || first.Revision != 1 ||
		first.DefaultVisibility != account.VisibilityUnlisted || first.KeepMetadata || !token.IsID(first.ID) ||
		first.CreatedAt.IsZero() || first.CreatedAt.Location() != time.UTC {
		t.Errorf("the first account: %+v", first)
	}
	in.Name = "boris" // with the same email: that is nobody's business
	second, _, err := b.Register(t.Context(), in)
	if err != nil || second.Role != account.RoleMember {
		t.Errorf("the second account: %+v, %v", second, err)
	}
	usage, err := b.Usage(t.Context(), account.Principal{AccountID: second.ID})
	if err != nil || usage.Bytes != 0 || usage.Images != 0 || usage.QuotaBytes == nil || *usage.QuotaBytes != 1000 {
		t.Errorf("usage: %+v, %v", usage, err)
	}
	_, _, err = b.Register(t.Context(), signUp("anna"))
	wantCode(t, "a name that is taken", err, apperr.Conflict, "name_taken", "/name")
	if found, err := b.Find(t.Context(), "boris"); err != nil || found != second {
		t.Errorf("Find: %+v, %v", found, err)
	}
	_, err = b.Find(t.Context(), "nobody")
	wantError(t, "Find nobody", err, account.ErrNotFound)
}

func TestRegisterClosed(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited("")) // closed is the default
	first, _, err := b.Register(t.Context(), signUp("anna"))
	if err != nil || first.Role != account.RoleAdmin {
		t.Fatalf("the first account of a closed instance: %+v, %v", first, err)
	}
	for _, name := range []string{"boris", "anna"} { // and a taken name is not told
		_, _, err = b.Register(t.Context(), signUp(name))
		wantError(t, name, err, account.ErrRegistrationClosed)
	}
	if n := b.count(`SELECT count(*) FROM accounts`); n != 1 {
		t.Errorf("%d accounts", n)
	}
}

func TestRegisterByInvitation(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited(account.RegistrationInvite))
	if _, _, err := b.Register(t.Context(), signUp("anna")); err != nil {
		t.Fatalf("the first account needs no invitation: %v", err)
	}
	invite := func() string {
		code, expiresAt, err := b.Invite(t.Context(), time.Hour)
		if err != nil || !token.IsSecret(code) || expiresAt.Before(time.Now()) {
			t.Fatalf("Invite: %q until %v, %v", code, expiresAt, err)
		}
		return code
	}
	register := func(name, code string) error {
		in := signUp(name)
		in.InviteCode = code
		_, _, err := b.Register(t.Context(), in)
		return err
	}
	code := invite()
	wantError(t, "no code", register("boris", ""), account.ErrInviteNeeded)
	wantError(t, "a wrong code", register("boris", token.Secret()), account.ErrInviteNeeded)
	wantError(t, "a taken name", register("anna", code), account.ErrNameTaken)
	if err := register("boris", code); err != nil {
		t.Errorf("a good code, which the taken name did not use up: %v", err)
	}
	wantError(t, "a used code", register("clara", code), account.ErrInviteNeeded)

	expired := invite()
	b.exec(`UPDATE invites SET expires_at = now() - interval '1 second'`)
	wantError(t, "an expired code", register("clara", expired), account.ErrInviteNeeded)

	one := invite()
	errs := together(8, func(i int) error { return register(fmt.Sprintf("guest-%d", i), one) })
	wantTally(t, tally(t, errs), map[string]int{"": 1, "invite_needed": 7})

	_, _, err := b.Invite(t.Context(), 0)
	wantCode(t, "an invitation for no time", err, apperr.Invalid, "invalid_lifetime", "")
}

func TestRegisterRaces(t *testing.T) {
	t.Parallel()
	const n = 32
	t.Run("one administrator", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, unlimited(account.RegistrationOpen))
		errs := together(n, func(i int) error {
			_, _, err := b.Register(t.Context(), signUp(fmt.Sprintf("person-%d", i)))
			return err
		})
		wantTally(t, tally(t, errs), map[string]int{"": n})
		if admins := b.count(`SELECT count(*) FROM accounts WHERE role = 'admin'`); admins != 1 {
			t.Errorf("%d administrators", admins)
		}
	})
	t.Run("one account of a closed instance", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, unlimited(account.RegistrationClosed))
		errs := together(n, func(i int) error {
			_, _, err := b.Register(t.Context(), signUp(fmt.Sprintf("person-%d", i)))
			return err
		})
		wantTally(t, tally(t, errs), map[string]int{"": 1, "registration_closed": n - 1})
	})
	t.Run("one owner of a name", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, unlimited(account.RegistrationOpen))
		errs := together(n, func(int) error {
			_, _, err := b.Register(t.Context(), signUp("anna"))
			return err
		})
		wantTally(t, tally(t, errs), map[string]int{"": 1, "name_taken": n - 1})
	})
	t.Run("an administrator while others come and go", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, unlimited(account.RegistrationOpen))
		errs := together(n, func(i int) error {
			name := fmt.Sprintf("person-%d", i)
			a, _, err := b.Register(t.Context(), signUp(name))
			if err == nil && i%2 == 0 {
				_, err = b.Delete(t.Context(), account.Principal{AccountID: a.ID}, name, nil)
			}
			return err
		})
		if counts := tally(t, errs); counts[""]+counts["last_administrator"] != n {
			t.Errorf("outcomes %v", counts)
		}
		if b.count(`SELECT count(*) FROM accounts WHERE role = 'admin'`) == 0 {
			t.Error("there are accounts and no administrator")
		}
	})
}

func TestRegisterRefusesWhatIsNotValid(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited(account.RegistrationOpen))
	for what, tc := range map[string]struct {
		in          account.SignUp
		code, field string
	}{
		"short name":           {account.SignUp{Name: "a", Password: password}, "invalid_name", "/name"},
		"long name":            {account.SignUp{Name: strings.Repeat("a", 33), Password: password}, "invalid_name", "/name"},
		"capitals":             {account.SignUp{Name: "Anna", Password: password}, "invalid_name", "/name"},
		"hyphen first":         {account.SignUp{Name: "-anna", Password: password}, "invalid_name", "/name"},
		"letters with accents": {account.SignUp{Name: "ännä", Password: password}, "invalid_name", "/name"},
		"short password":       {account.SignUp{Name: "anna", Password: "ninechars"}, "invalid_password", "/password"},
		"long password":        {account.SignUp{Name: "anna", Password: strings.Repeat("ä", 257)}, "invalid_password", "/password"},
		"NUL":                  {account.SignUp{Name: "anna", Password: password + "\x00"}, "invalid_password", "/password"},
		"no domain":            {account.SignUp{Name: "anna", Password: password, Email: "anna@"}, "invalid_email", "/email"},
		"one label":            {account.SignUp{Name: "anna", Password: password, Email: "anna@example"}, "invalid_email", "/email"},
		"dots":                 {account.SignUp{Name: "anna", Password: password, Email: "anna@example..org"}, "invalid_email", "/email"},
		"two at":               {account.SignUp{Name: "anna", Password: password, Email: "anna@b@example.org"}, "invalid_email", "/email"},
		"a space":              {account.SignUp{Name: "anna", Password: password, Email: "an na@example.org"}, "invalid_email", "/email"},
	} {
		_, _, err := b.Register(t.Context(), tc.in)
		wantCode(t, what, err, apperr.Invalid, tc.code, tc.field)
	}
	ok := account.SignUp{Name: "a2_-", Password: strings.Repeat("ä", 256), Email: "анна@пример.рф"}
	if _, _, err := b.Register(t.Context(), ok); err != nil {
		t.Errorf("at the edge of what is allowed: %v", err)
	}
}

func TestRegisterIsLimited(t *testing.T) {
	t.Parallel()
	cfg := unlimited(account.RegistrationOpen)
	cfg.RegisterPerAddress = account.Limit{Quota: 2, Window: time.Hour}
	b := newBench(t, cfg)
	register := func(name, address string) ([]account.LimitState, error) {
		in := signUp(name)
		in.Address = netip.MustParseAddr(address)
		_, limits, err := b.Register(t.Context(), in)
		return limits, err
	}
	for i, name := range []string{"anna", "boris"} {
		limits, err := register(name, "2001:db8::1")
		if err != nil || len(limits) != 1 || !limits[0].Allowed || limits[0].Remaining != 1-i || limits[0].Limit.Name != "address" {
			t.Errorf("%s: %+v, %v", name, limits, err)
		}
	}
	limits, err := register("clara", "2001:db8::ffff:2")
	wantCode(t, "another address of the same /64", err, apperr.RateLimited, "rate_limited", "")
	if len(limits) != 1 || limits[0].Allowed || limits[0].Next < 29*time.Minute || limits[0].Next > 30*time.Minute {
		t.Errorf("limits %+v", limits)
	}
	if _, err := register("clara", "2001:db8:0:1::1"); err != nil {
		t.Errorf("another /64: %v", err)
	}
}

func TestRegisterWhenBusy(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited(account.RegistrationOpen))
	free := account.Busy(b.Service)
	_, _, err := b.Register(t.Context(), signUp("anna"))
	wantCode(t, "busy", err, apperr.Unavailable, "busy", "")
	free()
	if _, _, err := b.Register(t.Context(), signUp("anna")); err != nil {
		t.Error(err)
	}
}
