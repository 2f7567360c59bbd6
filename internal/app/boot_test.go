package app_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/kadr-app/kadr/internal/app"
	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/config"
)

// boot runs an instance in the test's own process, until the test ends.
func boot(t *testing.T, env []string) *app.App {
	t.Helper()
	environ := map[string]string{}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		environ[name] = value
	}
	cfg, err := config.Parse(environ)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: cfg.LogLevel}))
	a, err := app.New(t.Context(), cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return a
}

// filesOf counts the blobs and the variants that an instance has on its disk.
func filesOf(t *testing.T, env []string) (blobs, variants int) {
	t.Helper()
	store, err := blob.OpenDir(folders(env).StorageDir())
	if err != nil {
		t.Fatal(err)
	}
	err = store.Walk(t.Context(), func(e blob.Entry) error {
		switch {
		case e.Stray != "":
			t.Errorf("a file that does not belong: %s", e.Stray)
		case e.Variant != "":
			variants++
		default:
			blobs++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return blobs, variants
}
