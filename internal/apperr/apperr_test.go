package apperr_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/kadr-app/kadr/internal/apperr"
)

func TestKindOf(t *testing.T) {
	t.Parallel()
	gone := apperr.New(apperr.Gone, "image_gone", "This picture was deleted.")
	for name, tc := range map[string]struct {
		err  error
		want apperr.Kind
	}{
		"plain":   {io.EOF, apperr.Internal},
		"direct":  {gone, apperr.Gone},
		"wrapped": {fmt.Errorf("open: %w", gone.Wrap(io.EOF)), apperr.Gone},
	} {
		if got := apperr.KindOf(tc.err); got != tc.want {
			t.Errorf("%s: KindOf = %v, want %v", name, got, tc.want)
		}
	}
}

func TestCopiesStillMatchAndLeaveTheOriginalAlone(t *testing.T) {
	t.Parallel()
	base := apperr.New(apperr.Conflict, "name_taken", "That name is taken.")
	derived := base.At("/name").Wrap(io.ErrUnexpectedEOF)
	if !errors.Is(derived, base) || !errors.Is(derived, io.ErrUnexpectedEOF) {
		t.Errorf("%v does not match what it was made from", derived)
	}
	if base.Field != "" || errors.Unwrap(base) != nil {
		t.Errorf("the original was changed: %+v", base)
	}
	if derived.Message != "That name is taken." {
		t.Errorf("a cause leaked into the message: %q", derived.Message)
	}
}
