package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// etag is the strong validator of a resource: its id and its revision.
func etag(id string, revision int64) string { return fmt.Sprintf(`"%s-%d"`, id, revision) }

// tagOf is the strong validator of what has no revision: of what it looks like now.
func tagOf(representation any) (string, error) {
	b, err := json.Marshal(representation)
	if err != nil {
		return "", fmt.Errorf("tag a representation: %w", err)
	}
	return contentTag(b), nil
}

// contentTag is the strong validator of bytes.
func contentTag(b []byte) string {
	h := sha256.Sum256(b)
	return `"` + hex.EncodeToString(h[:16]) + `"`
}

// etagList reports whether an If-Match or If-None-Match header (RFC 9110 §13.1) names the tag. Strong comparison, as
// If-Match wants, never matches a weak one.
func etagList(header, tag string, strong bool) bool {
	if strings.TrimSpace(header) == "*" {
		return true
	}
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimSpace(candidate)
		if !strong {
			candidate = strings.TrimPrefix(candidate, "W/")
		}
		if candidate == tag {
			return true
		}
	}
	return false
}

// notModified reports whether the client has the representation already.
func notModified(ifNoneMatch *string, tag string) bool {
	return ifNoneMatch != nil && etagList(*ifNoneMatch, tag, false)
}

// ifRevision turns an If-Match header into a condition on the revision; nil when there is none.
func ifRevision(ifMatch *string, id string) func(int64) bool {
	if ifMatch == nil {
		return nil
	}
	return func(revision int64) bool { return etagList(*ifMatch, etag(id, revision), true) }
}
