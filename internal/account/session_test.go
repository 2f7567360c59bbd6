package account_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/token"
)

func TestSignInAndOut(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited(account.RegistrationOpen))
	anna := b.person("anna")
	in, _, err := b.SignIn(t.Context(), account.SignIn{
		Name: "Anna", Password: password, Address: netip.MustParseAddr("::ffff:198.51.100.4"),
		UserAgent: "Fire\x00fox\n" + strings.Repeat("ю", 500),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := in.Session
	if s.Address != "198.51.100.4" || s.UserAgent != "Firefox"+strings.Repeat("ю", 393) || !token.IsID(s.ID) {
		t.Errorf("session %+v", s)
	}
	if got := s.ExpiresAt.Sub(s.CreatedAt); got != 30*24*time.Hour {
		t.Errorf("it lasts %v", got)
	}
	p, err := b.AuthenticateSession(t.Context(), in.Token)
	want := account.Principal{
		AccountID: anna.ID, Name: "anna", Role: account.RoleAdmin, DefaultVisibility: account.VisibilityUnlisted, SessionID: s.ID,
	}
	if err != nil || fmt.Sprint(p) != fmt.Sprint(want) || !p.HasScope(account.ScopeImagesWrite) {
		t.Errorf("principal %+v, %v", p, err)
	}
	if n := b.count(`SELECT count(*) FROM sessions WHERE token_hash = $1`, token.Hash(in.Token)); n != 1 {
		t.Error("the token is not kept as its hash")
	}
	if err := b.EndCurrent(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	_, err = b.AuthenticateSession(t.Context(), in.Token)
	wantError(t, "after signing out", err, account.ErrUnauthenticated)
	if err := b.EndCurrent(t.Context(), p); err != nil {
		t.Errorf("signing out twice: %v", err)
	}
	for _, bad := range []string{"", "short", token.Secret(), strings.ToUpper(in.Token)} {
		_, err = b.AuthenticateSession(t.Context(), bad)
		wantError(t, bad, err, account.ErrUnauthenticated)
	}
}

func TestWrongNameAndWrongPasswordAreAlike(t *testing.T) {
	t.Parallel()
	b := newBench(t, account.Config{})
	b.person("anna")
	var states [][]account.LimitState
	for _, name := range []string{"anna", "nobody"} {
		before := account.Checks(b.Service)
		address := netip.AddrFrom4([4]byte{10, 0, 0, byte(len(states))})
		_, limits, err := b.SignIn(t.Context(), account.SignIn{Name: name, Password: "not the password", Address: address})
		wantCode(t, name, err, apperr.Unauthenticated, "wrong_credentials", "")
		if got := account.Checks(b.Service) - before; got != 1 {
			t.Errorf("%s: %d checks of a password ran", name, got)
		}
		for i := range limits {
			limits[i].Next = limits[i].Next.Round(time.Minute)
		}
		states = append(states, limits)
	}
	if len(states[0]) != 2 || fmt.Sprint(states[0]) != fmt.Sprint(states[1]) {
		t.Errorf("the limits tell the names apart: %+v", states)
	}
}

func TestSignInLimitPerName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"anna", "nobody"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := unlimited(account.RegistrationOpen)
			cfg.SignInPerName = account.Limit{Quota: 10, Window: time.Hour}
			b := newBench(t, cfg)
			b.person("anna")
			try := func(i int, password string) ([]account.LimitState, error) {
				address := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
				_, limits, err := b.SignIn(t.Context(), account.SignIn{Name: name, Password: password, Address: address})
				return limits, err
			}
			errs := together(32, func(i int) error { _, err := try(i, "not the password"); return err })
			wantTally(t, tally(t, errs), map[string]int{"wrong_credentials": 10, "rate_limited": 22})
			if got := account.Checks(b.Service); got != 10 {
				t.Errorf("%d passwords were checked, and only 10 should", got)
			}
			limits, err := try(99, password) // the right one: it is not even looked at
			wantCode(t, "over the limit", err, apperr.RateLimited, "rate_limited", "")
			if len(limits) != 1 || limits[0].Limit.Name != "name" || limits[0].Allowed || limits[0].Remaining != 0 {
				t.Errorf("limits %+v", limits)
			}
			if msg := errMessage(err); msg != "Too many attempts. Try again in 360 seconds." {
				t.Errorf("message %q", msg)
			}
		})
	}
}

func errMessage(err error) string {
	var e *apperr.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Message
}

func TestSignInGivesTheNameBack(t *testing.T) {
	t.Parallel()
	cfg := unlimited(account.RegistrationOpen)
	cfg.SignInPerName = account.Limit{Quota: 2, Window: time.Hour}
	b := newBench(t, cfg)
	b.person("anna")
	for range 6 {
		_, limits, err := b.SignIn(t.Context(), account.SignIn{Name: "anna", Password: password, Address: home})
		if err != nil || len(limits) != 1 || limits[0].Remaining != 2 {
			t.Fatalf("a success counted: %+v, %v", limits, err)
		}
	}
	free := account.Busy(b.Service)
	for range 4 {
		_, _, err := b.SignIn(t.Context(), account.SignIn{Name: "anna", Password: password, Address: home})
		wantError(t, "busy", err, account.ErrBusy)
	}
	free()
	if _, _, err := b.SignIn(t.Context(), account.SignIn{Name: "anna", Password: password, Address: home}); err != nil {
		t.Errorf("being busy counted: %v", err)
	}
}

func TestSignInLimitPerAddress(t *testing.T) {
	t.Parallel()
	cfg := unlimited(account.RegistrationOpen)
	cfg.SignInPerAddress = account.Limit{Quota: 4, Window: time.Hour}
	cfg.SignInPerName = account.Limit{Quota: 3, Window: time.Hour}
	b := newBench(t, cfg)
	b.person("anna")
	try := func(name, address string) error {
		_, _, err := b.SignIn(t.Context(), account.SignIn{Name: name, Password: password, Address: netip.MustParseAddr(address)})
		return err
	}
	for i := range 4 {
		wantError(t, "guess", try(fmt.Sprintf("guess-%d", i), "198.51.100.1"), account.ErrWrongCredentials)
	}
	for range 5 {
		wantError(t, "over the address's limit", try("anna", "::ffff:198.51.100.1"), account.ErrRateLimited)
	}
	if err := try("anna", "198.51.100.2"); err != nil {
		t.Errorf("a limited address used up the name's attempts: %v", err)
	}
}

func TestListAndEndSessions(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited(account.RegistrationOpen))
	b.person("anna")
	b.person("boris")
	boris, _ := b.signIn("boris")
	tokens := map[string]string{}
	var anna account.Principal
	for range 5 {
		p, token := b.signIn("anna")
		anna, tokens[p.SessionID] = p, token
	}
	b.exec(`UPDATE sessions SET expires_at = now() WHERE id = (SELECT id FROM sessions WHERE account_id = $1 LIMIT 1)`, anna.AccountID)

	var seen []string
	var after account.Position
	for {
		page, err := b.ListSessions(t.Context(), anna, after, 2)
		if err != nil || len(page.Items) > 2 {
			t.Fatalf("%+v, %v", page, err)
		}
		for i, s := range page.Items {
			if i > 0 && s.LastUsedAt.After(page.Items[i-1].LastUsedAt) {
				t.Error("out of order")
			}
			seen = append(seen, s.ID)
		}
		if after = page.Next; after.IsZero() {
			break
		}
	}
	if len(seen) != 4 {
		t.Fatalf("%d sessions of 4 that have not expired", len(seen))
	}
	wantError(t, "somebody else's session", b.EndSession(t.Context(), boris, seen[0]), account.ErrSessionNotFound)
	if err := b.EndSession(t.Context(), anna, seen[0]); err != nil {
		t.Fatal(err)
	}
	wantError(t, "twice", b.EndSession(t.Context(), anna, seen[0]), account.ErrSessionNotFound)
	_, err := b.AuthenticateSession(t.Context(), tokens[seen[0]])
	wantError(t, "an ended session", err, account.ErrUnauthenticated)
	if _, err := b.AuthenticateSession(t.Context(), tokens[seen[1]]); err != nil {
		t.Errorf("the next session: %v", err)
	}
	if err := b.EndAll(t.Context(), anna); err != nil {
		t.Fatal(err)
	}
	for id, token := range tokens {
		_, err := b.AuthenticateSession(t.Context(), token)
		wantError(t, "after ending all, "+id, err, account.ErrUnauthenticated)
	}
	if n := b.count(`SELECT count(*) FROM sessions`); n != 1 {
		t.Errorf("%d sessions are left, and boris has one", n)
	}
}

func TestSessionUseIsNotedOnceAMinute(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited(account.RegistrationOpen))
	b.person("anna")
	p, sessionToken := b.signIn("anna")
	recent := `SELECT count(*) FROM sessions WHERE id = $1 AND last_used_at > now() - interval '20 seconds'`
	age := `UPDATE sessions SET last_used_at = now() - $2::interval WHERE id = $1`
	use := func() {
		t.Helper()
		if _, err := b.AuthenticateSession(t.Context(), sessionToken); err != nil {
			t.Fatal(err)
		}
	}
	b.exec(age, p.SessionID, 30*time.Second)
	use()
	if b.count(recent, p.SessionID) != 0 {
		t.Error("it was written within a minute")
	}
	b.exec(age, p.SessionID, 2*time.Minute)
	use()
	if b.count(recent, p.SessionID) != 1 {
		t.Error("a use was not noted")
	}

	// Somebody holds the row: the request neither waits nor fails.
	b.exec(age, p.SessionID, 2*time.Minute)
	tx, err := b.db.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	if _, err := tx.Exec(t.Context(), `SELECT FROM sessions WHERE id = $1 FOR UPDATE`, p.SessionID); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	use()
	if took := time.Since(began); took >= time.Second { // which is when waiting would have been given up
		t.Errorf("it waited %v for somebody's lock", took)
	}

	// The database refuses to write: the request does not notice.
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.exec(`ALTER TABLE sessions ADD CHECK (last_used_at < '2000-01-01') NOT VALID`)
	use()

	b.exec(`ALTER TABLE sessions DROP CONSTRAINT sessions_last_used_at_check`)
	b.exec(`UPDATE sessions SET expires_at = now() WHERE id = $1`, p.SessionID)
	_, err = b.AuthenticateSession(t.Context(), sessionToken)
	wantError(t, "an expired session", err, account.ErrUnauthenticated)
	wantError(t, "ending an expired session", b.EndSession(t.Context(), p, p.SessionID), account.ErrSessionNotFound)
}
