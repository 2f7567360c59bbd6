package httpapi

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"io"
	"net/http"

	"github.com/dunglas/httpsfv"

	"github.com/kadr-app/kadr/internal/apperr"
)

// digestCheck holds a body against its Content-Digest header (RFC 9530). dunglas/httpsfv reads the header, since it is a
// structured field (RFC 9651), which is more than it looks.
type digestCheck struct {
	want [][]byte
	have []hash.Hash
}

var (
	errDigestHeader = apperr.New(apperr.Invalid, "invalid_content_digest",
		"Content-Digest must be like sha-256=:base64: or sha-512=:base64: (RFC 9530).")
	errDigest = &problem{
		status: http.StatusUnprocessableEntity, code: "content_digest_mismatch",
		detail: "The body that arrived is not the one that Content-Digest describes. Send it again.",
	}
)

// newDigestCheck prepares to hash the body while somebody else reads it. A nil header checks nothing.
func newDigestCheck(header *string, b *body) (*digestCheck, error) {
	d := &digestCheck{}
	if header == nil {
		return d, nil
	}
	dict, err := httpsfv.UnmarshalDictionary([]string{*header})
	if err != nil {
		return nil, errDigestHeader.Wrap(err)
	}
	var writers []io.Writer
	for _, name := range dict.Names() {
		var h hash.Hash
		switch name {
		case "sha-256":
			h = sha256.New()
		case "sha-512":
			h = sha512.New()
		default:
			continue // RFC 9530 §2: ignore what is not known, as long as something is
		}
		member, _ := dict.Get(name)
		item, ok := member.(httpsfv.Item)
		want, isBytes := item.Value.([]byte)
		if !ok || !isBytes || len(want) != h.Size() {
			return nil, errDigestHeader
		}
		d.want, d.have, writers = append(d.want, want), append(d.have, h), append(writers, h)
	}
	if len(d.have) == 0 {
		return nil, errDigestHeader
	}
	if b != nil {
		b.tee = io.MultiWriter(writers...)
	}
	return d, nil
}

// verify compares, once the body was read to its end.
func (d *digestCheck) verify() error {
	for i, h := range d.have {
		if !bytes.Equal(h.Sum(nil), d.want[i]) {
			return errDigest
		}
	}
	return nil
}
