package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"regexp"
)

// Ref is the SHA-256 of a blob's bytes, and its only name.
type Ref [sha256.Size]byte

// ParseRef reads what String writes: 64 digits of lower-case hexadecimal. Anything else is ErrBadRef.
func ParseRef(s string) (Ref, error) {
	var r Ref
	if err := r.UnmarshalText([]byte(s)); err != nil {
		return Ref{}, err
	}
	return r, nil
}

// String returns the Ref as 64 digits of lower-case hexadecimal.
func (r Ref) String() string { return hex.EncodeToString(r[:]) }

// MarshalText is String, for encoders.
func (r Ref) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, r[:]), nil }

// UnmarshalText is ParseRef, for decoders. It leaves r alone when it fails.
func (r *Ref) UnmarshalText(text []byte) error {
	var got Ref
	if len(text) != hex.EncodedLen(len(got)) {
		return ErrBadRef.Wrap(fmt.Errorf("blob: %d characters", len(text)))
	}
	if _, err := hex.Decode(got[:], text); err != nil {
		return ErrBadRef.Wrap(err)
	}
	// One blob, one spelling: the hex package would take upper case too.
	if got.String() != string(text) {
		return ErrBadRef.Wrap(fmt.Errorf("blob: upper case in %q", text))
	}
	*r = got
	return nil
}

// The folders below a Dir.
const (
	blobsDir      = "blobs"
	variantsDir   = "variants"
	tempDirName   = "tmp"
	quarantineDir = "quarantine"
)

// Path returns where a Dir keeps a blob, slash-separated and relative to the Dir: what a gateway that sends the file
// itself is told. Two levels of 256 folders keep every folder small up to some tens of millions of blobs.
func Path(ref Ref) string { return path.Join(blobsDir, shard(ref)) }

// VariantPath returns where a Dir keeps a variant, like Path. The name must have passed CheckVariantName.
func VariantPath(ref Ref, name string) string { return path.Join(variantsDir, shard(ref), name) }

func shard(ref Ref) string {
	s := ref.String()
	return path.Join(s[:2], s[2:4], s)
}

// variantName lets a name be a file's name on every file system, and never a path, a hidden file or an option.
var variantName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,99}$`)

// CheckVariantName returns ErrBadVariant unless name is 1 to 100 lower-case letters, digits, dots, underscores and
// dashes, of which the first is a letter or a digit.
func CheckVariantName(name string) error {
	if !variantName.MatchString(name) {
		return ErrBadVariant.Wrap(fmt.Errorf("blob: %.200q", name))
	}
	return nil
}
