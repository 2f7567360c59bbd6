//go:build !linux

package imaging

import (
	"errors"
	"fmt"
	"os"
)

// NewScratch returns an empty file without a name, for an Output that may not be wanted in the end. The caller closes it,
// and then it is gone.
func NewScratch() (*os.File, error) {
	f, err := os.CreateTemp("", "kadr-")
	if err != nil {
		return nil, fmt.Errorf("imaging: make a temporary file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("imaging: make a temporary file: %w", err), f.Close())
	}
	return f, nil
}
