package httpapi_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"testing"
)

func testContentDigest(t *testing.T, in *instance) {
	c := in.person(t)
	encode := base64.StdEncoding.EncodeToString
	digest256 := func(b []byte) string { h := sha256.Sum256(b); return "sha-256=:" + encode(h[:]) + ":" }
	digest512 := func(b []byte) string { h := sha512.Sum512(b); return "sha-512=:" + encode(h[:]) + ":" }
	picture, other := pngOf("digest", 15, 15), pngOf("digest, other", 15, 15)
	c.stored(picture, "")
	for name, tc := range map[string]struct {
		header string
		status int
		code   string
	}{
		"sha-256":             {digest256(picture), 200, ""},
		"sha-512":             {digest512(picture), 200, ""},
		"both":                {digest256(picture) + ", " + digest512(picture), 200, ""},
		"one unknown":         {"md5=:AAAA:, " + digest256(picture), 200, ""},
		"wrong":               {digest256(other), 422, "content_digest_mismatch"},
		"one of two wrong":    {digest256(picture) + ", " + digest512(other), 422, "content_digest_mismatch"},
		"unknown only":        {"md5=:AAAA:", 400, "invalid_content_digest"},
		"garbage":             {"sha-256=nonsense", 400, "invalid_content_digest"},
		"not bytes":           {`sha-256="text"`, 400, "invalid_content_digest"},
		"an inner list":       {"sha-256=(:AAAA:)", 400, "invalid_content_digest"},
		"too short":           {"sha-256=:AAAA:", 400, "invalid_content_digest"},
		"not a field at all":  {"===", 400, "invalid_content_digest"},
		"not a header's text": {"sha-256=\xff", 400, "invalid_request"},
	} {
		r := c.upload(picture, "", "Content-Digest: "+tc.header)
		if r.StatusCode != tc.status {
			t.Errorf("%s: got %d, want %d\n%s", name, r.StatusCode, tc.status, r.body)
		} else if tc.code != "" {
			r.problem(tc.status, tc.code)
		}
	}
	// A field may be spread over two lines (RFC 9110 §5.3).
	c.upload(picture, "", "Content-Digest: "+digest256(picture), "Content-Digest: "+digest512(other)).problem(422, "content_digest_mismatch")
	// A form's digest is that of the whole body.
	body, header := form(t, field{"file", "x.png", string(picture)}, field{"title", "", "after the file"})
	c.do("POST", "/api/v1/images", body, header, "Content-Digest: "+digest256(body)).want(200)
	c.do("POST", "/api/v1/images", body, header, "Content-Digest: "+digest256(picture)).problem(422, "content_digest_mismatch")
	if got := len(c.get("/api/v1/images").page().Items); got != 1 {
		t.Errorf("%d pictures, want the one", got)
	}
}
