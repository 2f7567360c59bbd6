package blob_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/kadr-app/kadr/internal/blob"
)

func TestRef(t *testing.T) {
	t.Parallel()
	want := blob.Ref(sha256.Sum256([]byte("kadr")))
	got, err := blob.ParseRef(want.String())
	if err != nil || got != want {
		t.Errorf("ParseRef(String()) = %v, %v", got, err)
	}
	var doc struct{ Ref blob.Ref }
	text, err := json.Marshal(map[string]any{"Ref": want})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &doc); err != nil || doc.Ref != want {
		t.Errorf("through JSON: %v, %v", doc.Ref, err)
	}
	hex := want.String()
	if p := blob.Path(want); p != "blobs/"+hex[:2]+"/"+hex[2:4]+"/"+hex {
		t.Errorf("Path = %q", p)
	}
	if p := blob.VariantPath(want, "x"); p != "variants/"+hex[:2]+"/"+hex[2:4]+"/"+hex+"/x" {
		t.Errorf("VariantPath = %q", p)
	}
	for _, bad := range []string{
		"", hex[1:], hex + "0", strings.ToUpper(hex), "../" + hex[3:], strings.Repeat("g", 64), " " + hex[1:],
	} {
		ref := want
		if err := ref.UnmarshalText([]byte(bad)); !errors.Is(err, blob.ErrBadRef) || ref != want {
			t.Errorf("UnmarshalText(%q) = %v, and %v", bad, err, ref)
		}
		if ref, err := blob.ParseRef(bad); !errors.Is(err, blob.ErrBadRef) || ref != (blob.Ref{}) {
			t.Errorf("ParseRef(%q) = %v, %v", bad, ref, err)
		}
	}
}
