//go:build !linux

package main

import "errors"

func (b *bench) onOneCore(func() error) error {
	return errors.New("one core alone can be used on Linux only")
}
