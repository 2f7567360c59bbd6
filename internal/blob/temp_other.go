//go:build !linux

package blob

import (
	"errors"
	"math"
	"os"
)

// writebackStep is never reached: only Linux can be nudged.
const writebackStep = math.MaxInt64

// Unnamed files are Linux's; elsewhere tempDir.unnamed is never set.

func canUnnamed(string) bool { return false }

func tryUnnamed(string) bool { return false }

func openUnnamed(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func reopenUnnamed(*os.File) (*os.File, error) { return nil, errors.ErrUnsupported }

func linkUnnamed(*os.File, string) error { return errors.ErrUnsupported }

func startWriteback(*os.File, int64, int64) {}
