//go:build !linux

package main

import (
	"context"
	"errors"
)

func load(string, string, int) side {
	return func(context.Context) (int, error) { return 0, errors.New("nginx can be measured on Linux only") }
}
