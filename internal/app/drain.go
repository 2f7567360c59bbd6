package app

import (
	"context"
	"fmt"
	"time"
)

// drain ends serving so that nobody notices who can go elsewhere. For ShutdownDelay readiness says no while everything is
// still answered, each reply being its connection's last: whoever watches readiness sends new requests elsewhere. Then nothing
// new is let in, and what is under way may end within ShutdownTimeout.
func (a *App) drain(ctx context.Context, failed <-chan error) error {
	a.draining.Store(true)
	a.server.SetKeepAlivesEnabled(false)
	if delay := a.cfg.ShutdownDelay; delay > 0 {
		a.log.Info("stopping: not ready any more, but still serving", "for", delay)
		select {
		case err := <-failed:
			return fmt.Errorf("serve: %w", err)
		case <-time.After(delay):
		}
	}

	a.log.Info("stopping: requests under way may end", "within", a.cfg.ShutdownTimeout)
	letNobodyIn(a.listener)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.ShutdownTimeout)
	defer cancel()
	if err := a.server.Shutdown(drain); err != nil {
		_ = a.server.Close()
		return fmt.Errorf("requests were still under way after %s and were cut off: %w", a.cfg.ShutdownTimeout, err)
	}
	return nil
}
