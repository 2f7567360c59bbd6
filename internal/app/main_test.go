package app_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/kadr-app/kadr/internal/app"
	"github.com/kadr-app/kadr/internal/config"
	"github.com/kadr-app/kadr/internal/imaging"
)

// serveVariable makes the test binary a server that takes its settings from the environment, as `kadr serve` does. It is
// under the race detector when the tests are.
const serveVariable = "APP_TEST_SERVE"

func TestMain(m *testing.M) {
	imaging.DecoderMain()
	if os.Getenv(serveVariable) == "" {
		os.Exit(m.Run())
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serve() error {
	go func() { // it ends with the tests, however they end
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	if size := os.Getenv(diskVariable); size != "" {
		if err := mountDisk(size); err != nil {
			return err
		}
	}
	cfg, err := config.Load()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	a, err := app.New(ctx, cfg, app.NewLog(cfg, os.Stderr))
	if err != nil {
		return err
	}
	fmt.Println(readyLine, a.Addr())
	if err := a.Run(ctx); err != nil {
		return err
	}
	return a.Close()
}
