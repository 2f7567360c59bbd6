package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/kadr-app/kadr/internal/config"
)

// healthTimeout is a little more than the server gives its own checks.
const healthTimeout = 7 * time.Second

// healthcheck asks the server on this machine whether it is ready, so that an image needs no other program for that. It
// looks at KADR_LISTEN alone; whatever else is wrong, the server says.
func healthcheck(ctx context.Context, cfg config.Config, _ *slog.Logger, args []string) error {
	if len(args) > 0 {
		return errUsage("Usage: kadr healthcheck\nIt takes no arguments; KADR_LISTEN says where the server is.")
	}
	address, err := localAddress(cfg.Listen)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	if err := askReady(ctx, address); err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	fmt.Fprintln(os.Stdout, "ready")
	return nil
}

// localAddress is where a server that listens on the address listen is reached from the same machine.
func localAddress(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "" || port == "0" {
		return "", errors.New("KADR_LISTEN names no port that the server could be asked on")
	}
	// On every address: a name has both families, whichever of them the machine has.
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port), nil
}

func askReady(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", address, err)
	}
	transport := &http.Transport{DisableKeepAlives: true} // and no proxy, whatever the environment says
	defer transport.CloseIdleConnections()
	reply, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if reply.StatusCode == http.StatusOK {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(reply.Body, 64<<10))
	var states map[string]any
	if err != nil || json.Unmarshal(body, &states) != nil {
		return fmt.Errorf("the server says %s", reply.Status)
	}
	var failing []string
	for name, state := range states {
		if state == "failing" && name != "status" {
			failing = append(failing, name)
		}
	}
	slices.Sort(failing)
	return fmt.Errorf("the server says %s: %s", reply.Status, strings.Join(failing, ", "))
}
