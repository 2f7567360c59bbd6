package testdb

import "testing"

// The new rows share the files of those that are there, in turns, so that their sizes and placeholders are true. They go
// back in time by three hours each, so that they fill years.
const multiplySQL = `WITH mine AS (
    SELECT *, row_number() OVER (ORDER BY created_at, id) - 1 AS nth, count(*) OVER () AS total, min(created_at) OVER () AS first
    FROM images WHERE account_name = $1
), made AS (
    INSERT INTO images (id, account_id, account_name, ref, media_type, width, height, frames, transparent, size, filename, title,
        description, visibility, placeholder, created_at, updated_at)
    SELECT substr(translate(md5($1 || n), '0189', 'ghij'), 1, 13), account_id, account_name, ref, media_type, width, height, frames,
        transparent, size, 'DSC_' || lpad(n::text, 5, '0') || coalesce(substring(filename from '\.[^.]*$'), ''), title, description,
        (ARRAY['public', 'unlisted', 'private'])[1 + n % 3], placeholder, first - n * interval '3 hours', first - n * interval '3 hours'
    FROM mine, generate_series(total + 1, $2::bigint) n WHERE nth = n % total
    RETURNING account_id, size
)
UPDATE account_usage u SET images = u.images + m.images, bytes = u.bytes + m.bytes
FROM (SELECT account_id, count(*) AS images, sum(size) AS bytes FROM made GROUP BY account_id) m WHERE u.account_id = m.account_id`

// Multiply gives an account that has pictures so many more that they are n, in a second for tens of thousands. It needs
// the account to have one at least.
func (d *DB) Multiply(t testing.TB, account string, n int) {
	t.Helper()
	tag, err := d.Pool.Exec(t.Context(), multiplySQL, account, n)
	if err == nil {
		_, err = d.Pool.Exec(t.Context(), `VACUUM ANALYZE images`)
	}
	if err != nil || tag.RowsAffected() != 1 {
		t.Fatalf("testdb: multiply the pictures of %q: %v %v", account, tag, err)
	}
}
