package postgres

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/variant"
)

func newVariants(t *testing.T) (*VariantStore, *DB) {
	t.Helper()
	db := openTest(t, Options{})
	return NewVariantStore(db), db
}

// addBlob inserts a blob's row, and returns its ref.
func addBlob(t *testing.T, db *DB, content string) blob.Ref {
	t.Helper()
	ref := refOf(content)
	exec(t, db, `INSERT INTO blobs (ref, size) VALUES ($1, 1)`, ref[:])
	return ref
}

func entry(ref blob.Ref, name string, size int64) variant.Entry {
	return variant.Entry{Ref: ref, Name: name, Size: size}
}

func use(ref blob.Ref, name string, at time.Time) variant.Use {
	return variant.Use{Ref: ref, Name: name, At: at}
}

// granted asks for claims and returns the names that were granted.
func granted(t *testing.T, s *VariantStore, ref blob.Ref, lifetime time.Duration, names ...string) []string {
	t.Helper()
	claims, err := s.Claim(t.Context(), ref, names, lifetime)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, c := range claims {
		if c.Name != names[i] {
			t.Errorf("claim %d is of %q, want %q", i, c.Name, names[i])
		}
		if c.Granted {
			got = append(got, c.Name)
		}
	}
	return got
}

func expectGranted(t *testing.T, s *VariantStore, ref blob.Ref, ask []string, want ...string) {
	t.Helper()
	if got := granted(t, s, ref, time.Minute, ask...); !slices.Equal(got, want) {
		t.Errorf("asked for %q and was granted %q, want %q", ask, got, want)
	}
}

func TestClaimIsOneAtATime(t *testing.T) {
	t.Parallel()
	s, db := newVariants(t)
	ref := addBlob(t, db, "x")
	expectGranted(t, s, ref, []string{"b", "a"}, "b", "a")
	expectGranted(t, s, ref, []string{"a", "c"}, "c")
	if err := s.Release(t.Context(), ref, []string{"a"}); err != nil {
		t.Fatal(err)
	}
	expectGranted(t, s, ref, []string{"a", "b"}, "a")
	if err := s.Record(t.Context(), []variant.Entry{{Ref: ref, Name: "a", Size: 10}}, nil); err != nil {
		t.Fatal(err)
	}
	expectGranted(t, s, ref, []string{"a"}, "a") // who asks did not find the file

	_, err := s.Claim(t.Context(), refOf("nothing"), []string{"a"}, time.Minute)
	if !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("a claim on no blob: %v", err)
	}
	if n := queryInt(t, db, `SELECT count(*) FROM variants`); n != 3 {
		t.Errorf("%d rows, want 3", n)
	}
}

func TestClaimRunsOutUnlessRenewed(t *testing.T) {
	t.Parallel()
	s, db := newVariants(t)
	ref := addBlob(t, db, "x")
	if got := granted(t, s, ref, 50*time.Millisecond, "dead", "alive"); len(got) != 2 {
		t.Fatalf("granted %q", got)
	}
	if err := s.Renew(t.Context(), ref, []string{"alive"}, time.Minute); err != nil {
		t.Fatal(err)
	}
	time.Sleep(60 * time.Millisecond)
	expectGranted(t, s, ref, []string{"dead", "alive"}, "dead")
}

func TestFailureIsRemembered(t *testing.T) {
	t.Parallel()
	s, db := newVariants(t)
	ref := addBlob(t, db, "x")
	expectGranted(t, s, ref, []string{"a"}, "a")
	broken := apperr.New(apperr.Unprocessable, "image_broken", "It is broken.").At("?page").Wrap(errors.New("secret cause"))
	if err := s.Fail(t.Context(), ref, []string{"a"}, broken, time.Minute); err != nil {
		t.Fatal(err)
	}
	claims, err := s.Claim(t.Context(), ref, []string{"a", "b"}, time.Minute)
	if err != nil || claims[0].Granted || !claims[1].Granted || claims[1].Failure != nil {
		t.Fatalf("%+v, %v", claims, err)
	}
	if f := claims[0].Failure; !errors.Is(f, broken) || f.Message != broken.Message || f.Field != "?page" || errors.Unwrap(f) != nil {
		t.Errorf("the failure is %v", f)
	}
	exec(t, db, `UPDATE variants SET failed_until = now()`)
	expectGranted(t, s, ref, []string{"a"}, "a")
	if err := s.Fail(t.Context(), ref, []string{"a"}, apperr.New(apperr.Unavailable, "busy", "Busy."), time.Minute); err == nil {
		t.Error("what passes was remembered")
	}
	// A file ends it.
	if err := s.Fail(t.Context(), ref, []string{"a"}, broken, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := s.Record(t.Context(), []variant.Entry{{Ref: ref, Name: "a", Size: 1}}, nil); err != nil {
		t.Fatal(err)
	}
	expectGranted(t, s, ref, []string{"a"}, "a")
}

func TestRecordAdoptAndTotal(t *testing.T) {
	t.Parallel()
	s, db := newVariants(t)
	one, two, gone := addBlob(t, db, "one"), addBlob(t, db, "two"), refOf("gone")
	made := []variant.Entry{
		entry(one, "a", 10), entry(one, "b", 20), entry(two, "a", 30), entry(gone, "a", 40), entry(one, "a", 15),
	}
	if err := s.Record(t.Context(), made, nil); err != nil {
		t.Fatal(err)
	}
	expectTotal := func(want int64) {
		t.Helper()
		if got, err := s.TotalBytes(t.Context()); err != nil || got != want {
			t.Errorf("%d bytes in all (%v), want %d", got, err, want)
		}
	}
	expectTotal(65)
	expectGranted(t, s, two, []string{"claimed"}, "claimed")
	exec(t, db, `UPDATE variants SET used_at = now() - interval '3 hours', used_hour = 1`)
	adopted, err := s.Adopt(t.Context(), []variant.Entry{
		entry(one, "a", 99), entry(two, "new", 5), entry(two, "claimed", 7), entry(gone, "x", 1),
	})
	if err != nil || adopted != 2 {
		t.Errorf("adopted %d, %v", adopted, err)
	}
	expectTotal(77)
	expectGranted(t, s, two, []string{"claimed"}) // it still is

	now := time.Now()
	uses := []variant.Use{
		use(one, "a", now), use(two, "a", now.Add(-2*time.Hour)), use(two, "none", now), use(one, "b", now.Add(-5*time.Hour)),
	}
	if err := s.Record(t.Context(), nil, uses); err != nil {
		t.Fatal(err)
	}
	for sql, want := range map[string]int{
		`SELECT count(*) FROM variants WHERE used_at > now() - interval '1 minute' AND name = 'a'`:                           1,
		`SELECT count(*) FROM variants WHERE used_at < now() - interval '1 hour' AND used_at > now() - interval '2.5 hours'`: 1,
		`SELECT count(*) FROM variants WHERE used_hour = 1`:                                                                  1,
		`SELECT count(*) FROM variants`: 5,
	} {
		if n := queryInt(t, db, sql); n != want {
			t.Errorf("%s: %d, want %d", sql, n, want)
		}
	}
	if err := s.Record(t.Context(), nil, nil); err != nil {
		t.Error(err)
	}
}

// Counting a use must not touch an index, but once an hour.
func TestUseIsCheap(t *testing.T) {
	t.Parallel()
	s, db := newVariants(t)
	ref := addBlob(t, db, "x")
	if err := s.Record(t.Context(), []variant.Entry{entry(ref, "a", 1)}, nil); err != nil {
		t.Fatal(err)
	}
	exec(t, db, `UPDATE variants SET used_at = date_trunc('hour', now()), used_hour = floor(extract(epoch FROM now()) / 3600)`)
	start := time.Now().Truncate(time.Hour)
	for i := range 10 {
		if err := s.Record(t.Context(), nil, []variant.Use{use(ref, "a", start.Add(time.Duration(i+1)*90*time.Second))}); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		var updates, hot int
		err := db.pool.QueryRow(t.Context(), `SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'variants'`).Scan(&updates, &hot)
		if err != nil {
			t.Fatal(err)
		}
		if updates > 10 && hot == updates {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d updates, of which %d were HOT", updates, hot)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func TestEvictTakesTheOldest(t *testing.T) {
	t.Parallel()
	s, db := newVariants(t)
	ref := addBlob(t, db, "x")
	for i := range 10 {
		if err := s.Record(t.Context(), []variant.Entry{entry(ref, fmt.Sprint("v", i), 10)}, nil); err != nil {
			t.Fatal(err)
		}
		age := time.Duration(10-i) * 20 * time.Minute // v0 is the oldest
		exec(t, db, `UPDATE variants SET used_at = now() - $2::interval, used_hour = floor(extract(epoch FROM now() - $2::interval) / 3600)
			WHERE name = $1`, fmt.Sprint("v", i), age)
	}
	expectGranted(t, s, ref, []string{"v1", "none"}, "v1", "none")
	names := func(entries []variant.Entry, err error) (names []string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Ref != ref || e.Size != 10 {
				t.Errorf("%+v", e)
			}
			names = append(names, e.Name)
		}
		slices.Sort(names)
		return names
	}
	if got := names(s.Evict(t.Context(), 25, time.Minute, 100)); !slices.Equal(got, []string{"v0", "v2", "v3"}) {
		t.Errorf("25 bytes: %q", got) // v1 is being made again
	}
	if got := names(s.Evict(t.Context(), 1000, time.Minute, 2)); !slices.Equal(got, []string{"v4", "v5"}) {
		t.Errorf("two at most: %q", got)
	}
	if got := names(s.Evict(t.Context(), 1000, 50*time.Minute, 100)); !slices.Equal(got, []string{"v6", "v7"}) {
		t.Errorf("idle for 50 minutes: %q", got)
	}
	if n := queryInt(t, db, `SELECT count(*) FROM variants`); n != 4 {
		t.Errorf("%d rows are left", n)
	}
}

func TestSweepForgetsWhatIsOver(t *testing.T) {
	t.Parallel()
	s, db := newVariants(t)
	ref := addBlob(t, db, "x")
	granted(t, s, ref, time.Minute, "claimed", "failed", "failed long ago", "over", "made")
	broken := apperr.New(apperr.Invalid, "x", "x")
	if err := errors.Join(
		s.Fail(t.Context(), ref, []string{"failed"}, broken, time.Minute),
		s.Fail(t.Context(), ref, []string{"failed long ago"}, broken, 0),
		s.Release(t.Context(), ref, []string{"over"}),
		s.Record(t.Context(), []variant.Entry{entry(ref, "made", 1)}, nil),
	); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Sweep(t.Context()); err != nil || n != 2 {
		t.Errorf("swept %d, %v", n, err)
	}
	if n := queryInt(t, db, `SELECT count(*) FROM variants WHERE name IN ('claimed', 'failed', 'made')`); n != 3 {
		t.Errorf("%d are left of 3", n)
	}
}
