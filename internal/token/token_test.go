package token_test

import (
	"strings"
	"testing"

	"github.com/kadr-app/kadr/internal/token"
)

func TestIDAndSecret(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 10_000 {
		id, secret := token.ID(), token.Secret()
		if !token.IsID(id) || !token.IsSecret(secret) {
			t.Fatalf("malformed: %q, %q", id, secret)
		}
		if seen[id] || seen[secret] {
			t.Fatalf("made twice: %q, %q", id, secret)
		}
		seen[id], seen[secret] = true, true
	}
}

func TestIsIDRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "w7c2xq5kt3mz", "w7c2xq5kt3mzaa", "W7C2XQ5KT3MZA", "w7c2xq5kt3mz0", "../../../etc/", "w7c2xq5kt3mz\x00"} {
		if token.IsID(s) {
			t.Errorf("IsID(%q)", s)
		}
	}
	if token.IsSecret(strings.Repeat("a", 25)) {
		t.Error("a secret of 25 characters passes")
	}
}
