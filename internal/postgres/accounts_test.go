package postgres

import (
	"net/url"
	"testing"

	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/token"
)

// An account with very many pictures can still be renamed and deleted.
func TestWhatTouchesEveryPictureMayTakeLong(t *testing.T) {
	t.Parallel()
	db := openTest(t, Options{})
	s := NewAccountStore(db)
	a, err := s.CreateAccount(t.Context(), account.NewAccount{ID: token.ID(), Name: "anna", Role: account.RoleMember})
	if err != nil {
		t.Fatal(err)
	}
	exec(t, db, `INSERT INTO blobs (ref, size) VALUES (sha256('a'), 10)`)
	exec(t, db, `INSERT INTO images (id, account_id, account_name, ref, media_type, width, height, frames, transparent, size,
			filename, title, description, visibility, placeholder)
		VALUES ($1, $2, 'anna', sha256('a'), 'image/png', 1, 1, 1, false, 10, 'a.png', '', '', 'public', '')`, token.ID(), a.ID)
	exec(t, db, `CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN PERFORM pg_sleep(0.6); RETURN coalesce(NEW, OLD); END $$`)
	exec(t, db, `CREATE TRIGGER dawdle BEFORE UPDATE OR DELETE ON images FOR EACH ROW EXECUTE FUNCTION dawdle()`)

	impatient, err := url.Parse(db.pool.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	query := impatient.Query()
	query.Set("statement_timeout", "300")
	impatient.RawQuery = query.Encode()
	slow, err := Open(t.Context(), impatient.String(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(slow.Close)
	if _, err := slow.pool.Exec(t.Context(), `SELECT pg_sleep(0.6)`); err == nil {
		t.Fatal("the timeout does not count")
	}
	s = NewAccountStore(slow)
	name := "anya"
	if _, err := s.UpdateAccount(t.Context(), a.ID, account.Change{Name: &name}, nil); err != nil {
		t.Errorf("rename: %v", err)
	}
	if n, err := s.DeleteAccount(t.Context(), a.ID, name, nil); err != nil || n != 1 {
		t.Errorf("delete: %d pictures, %v", n, err)
	}
	if _, err := slow.pool.Exec(t.Context(), `SELECT pg_sleep(0.6)`); err == nil {
		t.Error("the longer timeout outlived its transaction")
	}
}
