package variant

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
)

// KeySize is the length of a signing key in bytes.
const KeySize = 32

// keysLifetime is how long keys are believed without asking again, should the news of a rotation not come through.
const keysLifetime = 30 * time.Second

// Errors of Verify.
var (
	ErrSignature = apperr.New(apperr.Forbidden, "invalid_signature", "The link's signature does not fit it. Ask for a new link.")
	ErrExpired   = apperr.New(apperr.Forbidden, "link_expired", "The link's time is over. Ask for a new one.")
	ErrUnsigned  = apperr.New(apperr.Forbidden, "signature_needed",
		"This shape needs a signature: ask for the link by POST /api/v1/images/{id}/variants.")
)

// KeyStore is the part of Store that Keys needs.
type KeyStore interface {
	SigningKeys(ctx context.Context) ([][]byte, error)
	RotateSigningKey(ctx context.Context, key []byte) error
}

// Keys sign links and verify them. A signature is HMAC-SHA256 (RFC 2104), in base64url without padding (RFC 4648 §5), over
// the path, a question mark, and the query in application/x-www-form-urlencoded with its parameters sorted by name, without
// sig, v and download. There are two valid keys at most, so that links outlive one rotation.
type Keys struct {
	store KeyStore
	mu    sync.Mutex
	keys  [][]byte
	until time.Time
}

// NewKeys returns the Keys that are kept in store.
func NewKeys(store KeyStore) *Keys { return &Keys{store: store} }

// Forget makes the next use read the keys anew.
func (k *Keys) Forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.until = time.Time{}
}

// Rotate makes a new key the current one; the one before it stays valid, older ones do not.
func (k *Keys) Rotate(ctx context.Context) error {
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // never fails
	defer k.Forget()
	return k.store.RotateSigningKey(ctx, key)
}

// Current returns the key that new signatures are made with.
func (k *Keys) Current(ctx context.Context) ([]byte, error) {
	keys, err := k.valid(ctx)
	if err != nil {
		return nil, err
	}
	return keys[0], nil
}

func (k *Keys) valid(ctx context.Context) ([][]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Now().Before(k.until) {
		return k.keys, nil
	}
	keys, err := k.store.SigningKeys(ctx)
	if err != nil {
		return nil, err
	}
	k.keys, k.until = keys, time.Now().Add(keysLifetime)
	return keys, nil
}

// Sign adds sig to a link's query, and expires before it where that is not zero.
func (k *Keys) Sign(ctx context.Context, path string, query url.Values, expires time.Time) error {
	key, err := k.Current(ctx)
	if err != nil {
		return err
	}
	if !expires.IsZero() {
		query.Set("expires", strconv.FormatInt(expires.Unix(), 10))
	}
	query.Set("sig", signature(key, path, query))
	return nil
}

// Verify checks a query that has a sig. It returns when the link expires: zero where it does not, which means that the
// signature permits the shape and nothing else. Errors: ErrSignature, ErrExpired.
func (k *Keys) Verify(ctx context.Context, path string, query url.Values) (expires time.Time, err error) {
	keys, err := k.valid(ctx)
	if err != nil {
		return time.Time{}, err
	}
	given := query.Get("sig")
	for _, key := range keys {
		if !hmac.Equal([]byte(signature(key, path, query)), []byte(given)) {
			continue
		}
		if !query.Has("expires") {
			return time.Time{}, nil
		}
		seconds, err := strconv.ParseInt(query.Get("expires"), 10, 64)
		if err != nil {
			return time.Time{}, ErrSignature
		}
		expires = time.Unix(seconds, 0)
		if !time.Now().Before(expires) {
			return time.Time{}, ErrExpired
		}
		return expires, nil
	}
	return time.Time{}, ErrSignature
}

func signature(key []byte, path string, query url.Values) string {
	signed := url.Values{}
	for name, values := range query {
		if name != "sig" && name != "v" && name != "download" {
			signed[name] = values
		}
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(path + "?" + signed.Encode()))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
