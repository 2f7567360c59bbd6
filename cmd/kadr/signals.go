package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// untilSignal returns a context that the first SIGINT or SIGTERM ends, so that what is under way may end. The second ends
// the process at once, however soon it comes: with signal.NotifyContext there is a moment in which it would be lost.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		again := <-signals
		signal.Reset()
		if number, ok := again.(syscall.Signal); !ok || syscall.Kill(os.Getpid(), number) != nil {
			os.Exit(exitFailed)
		}
	}()
	return ctx
}
