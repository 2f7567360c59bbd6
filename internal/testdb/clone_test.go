package testdb

import (
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sync/errgroup"
)

func TestTemplateIsMadeOnceByManyProcesses(t *testing.T) {
	t.Parallel()
	shared, err := host()
	if err != nil {
		t.Fatal(err)
	}
	// Cloners share nothing but the server, as processes do. The template may be there already; that is one case of two.
	var group errgroup.Group
	for range 6 {
		group.Go(func() error {
			c, err := newCloner(t.Context(), shared.server.String())
			if err != nil {
				return err
			}
			defer c.admin.Close()
			name, err := c.migrated(t.Context())
			if err != nil {
				return err
			}
			return c.drop(t.Context(), name)
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

func TestTemplateNameFollowsTheMigrations(t *testing.T) {
	t.Parallel()
	name := func(files fstest.MapFS) string {
		got, err := templateName(files)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	one := name(fstest.MapFS{"1.sql": {Data: []byte("a")}})
	if again := name(fstest.MapFS{"1.sql": {Data: []byte("a")}}); one != again {
		t.Errorf("the same migrations are %s and %s", one, again)
	}
	for what, files := range map[string]fstest.MapFS{
		"another text": {"1.sql": {Data: []byte("b")}},
		"another name": {"2.sql": {Data: []byte("a")}},
		"one more":     {"1.sql": {Data: []byte("a")}, "2.sql": {}},
	} {
		if name(files) == one {
			t.Errorf("%s has the same template", what)
		}
	}
}

func TestStale(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, want := range map[string]bool{
		testName(now):                      false,
		testName(now.Add(-staleAfter / 2)): false,
		testName(now.Add(-staleAfter * 2)): true,
		testPrefix + "made_by_somebody":    false,
		"kadr_template_0123456789abcdef":   false,
		"production":                       false,
	} {
		if got := stale(name, now); got != want {
			t.Errorf("stale(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestServerURLMustBeOne(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"host=/tmp dbname=kadr", "mysql://localhost/kadr", ":"} {
		if _, err := parseServerURL(bad); err == nil {
			t.Errorf("parseServerURL(%q) took it", bad)
		}
	}
}
