package account_test

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/postgres"
	"github.com/kadr-app/kadr/internal/testdb"
)

const password = "a long and private sentence"

// bench is a service on a database of its own.
type bench struct {
	*account.Service
	t  *testing.T
	db *testdb.DB
}

// unlimited is the configuration of tests that are not about limits.
func unlimited(registration account.Registration) account.Config {
	off := account.Limit{Quota: -1}
	return account.Config{Registration: registration, SignInPerAddress: off, SignInPerName: off, RegisterPerAddress: off}
}

func newBench(t *testing.T, cfg account.Config) *bench {
	t.Helper()
	tdb := testdb.New(t)
	db, err := postgres.Open(t.Context(), tdb.URL, postgres.Options{MaxConns: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	s := account.New(postgres.NewAccountStore(db), cfg)
	account.CheapHashes(s)
	return &bench{Service: s, t: t, db: tdb}
}

func (b *bench) exec(sql string, args ...any) {
	b.t.Helper()
	if _, err := b.db.Pool.Exec(b.t.Context(), sql, args...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) count(sql string, args ...any) (n int) {
	b.t.Helper()
	if err := b.db.Pool.QueryRow(b.t.Context(), sql, args...).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

// person makes an account, as the console does: the first is the administrator.
func (b *bench) person(name string) account.Account {
	b.t.Helper()
	a, err := b.CreateAccount(b.t.Context(), account.AccountRequest{Name: name, Password: password})
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

var home = netip.MustParseAddr("203.0.113.7")

// signIn starts a session and returns its principal and its token.
func (b *bench) signIn(name string) (account.Principal, string) {
	b.t.Helper()
	in, _, err := b.SignIn(b.t.Context(), account.SignIn{Name: name, Password: password, Address: home, UserAgent: "test"})
	if err != nil {
		b.t.Fatal(err)
	}
	p, err := b.AuthenticateSession(b.t.Context(), in.Token)
	if err != nil {
		b.t.Fatal(err)
	}
	return p, in.Token
}

func (b *bench) key(p account.Principal, scopes ...account.Scope) (account.APIKey, string) {
	b.t.Helper()
	made, key, err := b.CreateAPIKey(b.t.Context(), p, account.KeyRequest{Name: "a key", Scopes: scopes})
	if err != nil {
		b.t.Fatal(err)
	}
	return made, key
}

// picture inserts an image as an upload would leave it.
func (b *bench) picture(accountID, id string) {
	b.t.Helper()
	b.exec(`INSERT INTO blobs (ref, size) VALUES (sha256($1::text::bytea), 10) ON CONFLICT DO NOTHING`, id)
	b.exec(`INSERT INTO images (id, account_id, account_name, ref, media_type, width, height, frames, transparent, size,
			filename, title, description, visibility, placeholder)
		SELECT $2, a.id, a.name, sha256($2::text::bytea), 'image/png', 1, 1, 1, false, 10, 'a.png', '', '', 'public', ''
		FROM accounts AS a WHERE a.id = $1`, accountID, id)
	b.exec(`UPDATE account_usage SET bytes = bytes + 10, images = images + 1 WHERE account_id = $1`, accountID)
}

func wantError(t *testing.T, what string, err error, want *apperr.Error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %s", what, err, want.Code)
	}
}

func wantCode(t *testing.T, what string, err error, kind apperr.Kind, code, field string) {
	t.Helper()
	var e *apperr.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Code != code || e.Field != field {
		t.Errorf("%s: got %v, want %v %s at %q", what, err, kind, code, field)
	}
}

// together runs n calls at once and returns their errors.
func together(n int, call func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = call(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// tally counts errors by their code; "" is success.
func tally(t *testing.T, errs []error) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, err := range errs {
		var e *apperr.Error
		switch {
		case err == nil:
			counts[""]++
		case errors.As(err, &e):
			counts[e.Code]++
		default:
			t.Errorf("an error with no name: %v", err)
		}
	}
	return counts
}

func wantTally(t *testing.T, got, want map[string]int) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
}

func ptr[T any](v T) *T { return &v }
