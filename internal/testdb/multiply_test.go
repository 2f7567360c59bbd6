package testdb_test

import (
	"testing"

	"github.com/kadr-app/kadr/internal/testdb"
)

func TestMultiply(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	for _, sql := range []string{
		`INSERT INTO accounts (id, name, role, password_hash) VALUES ('a', 'anna', 'member', ''), ('b', 'ben', 'member', '')`,
		`INSERT INTO account_usage (account_id, bytes, images) VALUES ('a', 30, 2), ('b', 30, 1)`,
		`INSERT INTO blobs (ref, size) VALUES (sha256('1'), 10), (sha256('2'), 20)`,
		`INSERT INTO images (id, account_id, account_name, ref, media_type, width, height, frames, transparent, size, filename, title,
			description, visibility, placeholder) VALUES
			('one', 'a', 'anna', sha256('1'), 'image/png', 4, 3, 1, false, 10, 'one.png', '', '', 'private', ''),
			('two', 'a', 'anna', sha256('2'), 'image/jpeg', 2, 3, 1, false, 20, 'two', '', '', 'private', ''),
			('three', 'b', 'ben', sha256('2'), 'image/jpeg', 2, 3, 1, false, 20, 'three', '', '', 'private', '')`,
	} {
		if _, err := db.Pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	db.Multiply(t, "anna", 1000)
	var images, bytes, counted, sum, public, high int
	err := db.Pool.QueryRow(t.Context(), `SELECT u.images, u.bytes, count(*), sum(size), count(*) FILTER (WHERE visibility = 'public'),
		count(*) FILTER (WHERE height > width AND size = 20) FROM account_usage u JOIN images USING (account_id)
		WHERE account_name = 'anna' GROUP BY 1, 2`).Scan(&images, &bytes, &counted, &sum, &public, &high)
	if err != nil {
		t.Fatal(err)
	}
	if images != 1000 || counted != 1000 || bytes != sum || public < 300 || high != 500 {
		t.Errorf("%d pictures of %d bytes, counted as %d of %d; %d public, %d high", counted, sum, images, bytes, public, high)
	}
}
