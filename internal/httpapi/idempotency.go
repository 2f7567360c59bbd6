package httpapi

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"
)

// visitor writes a reply; the generated responses' Visit methods are of this type.
type visitor func(http.ResponseWriter) error

// The interfaces of the generated responses that idempotent operations answer with.
func (v visitor) VisitCreateAccountResponse(w http.ResponseWriter) error  { return v(w) }
func (v visitor) VisitCreateSessionResponse(w http.ResponseWriter) error  { return v(w) }
func (v visitor) VisitCreateAPIKeyResponse(w http.ResponseWriter) error   { return v(w) }
func (v visitor) VisitUploadImageResponse(w http.ResponseWriter) error    { return v(w) }
func (v visitor) VisitCreateUploadResponse(w http.ResponseWriter) error   { return v(w) }
func (v visitor) VisitCompleteUploadResponse(w http.ResponseWriter) error { return v(w) }

// idempotencyLock is how long the first request with a key may be at work before a repetition may take over.
const idempotencyLock = 2 * time.Minute

// IdempotencyStore remembers replies for 24 hours.
type IdempotencyStore interface {
	// Claim asks to run the request that carries a key: of any number of callers one gets claimed, and the others the
	// reply that it Completed, or an apperr.Conflict while there is none, or an apperr.Unprocessable when the fingerprint
	// is not the first request's.
	Claim(ctx context.Context, scope string, keyHash, fingerprint []byte, lock time.Duration) (claimed bool, reply []byte, err error)
	Complete(ctx context.Context, scope string, keyHash, reply []byte) error
	// Release lets the next request with the key run.
	Release(ctx context.Context, scope string, keyHash []byte) error
}

// once runs a creating operation, or repeats the reply that it gave before to the same Idempotency-Key. scope keeps the
// keys of different people and operations apart; request is what makes two requests the same. A request that failed is
// not remembered: its repetition runs.
//
// The reply may hold a secret (a new API key, a session's cookie) and the request a password, so neither is stored as it
// is: the reply is sealed, and the request's fingerprint keyed, with keys derived from the Idempotency-Key, of which only
// a hash is kept.
func (s *Server) once(ctx context.Context, scope string, key *string, request any, run func() (visitor, error)) (visitor, error) {
	if key == nil {
		return run()
	}
	k, err := newIdempotencyKey(scope, *key)
	if err != nil {
		return nil, err
	}
	fingerprint, err := k.fingerprint(request)
	if err != nil {
		return nil, err
	}
	claimed, sealed, err := s.idempotency.Claim(ctx, scope, k.hash, fingerprint, idempotencyLock)
	if err != nil {
		return nil, err
	}
	if !claimed {
		return k.open(sealed)
	}

	visit, err := run()
	// The client may have gone away, which is just when it will ask again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err != nil {
		return nil, errors.Join(err, s.idempotency.Release(ctx, scope, k.hash))
	}
	reply := &recordedReply{Head: http.Header{}}
	if err := visit(reply); err != nil {
		return nil, err
	}
	if sealed, err = k.seal(reply); err != nil {
		return nil, err
	}
	if err := s.idempotency.Complete(ctx, scope, k.hash, sealed); err != nil {
		return nil, err
	}
	return reply.write, nil
}

// idempotencyKey is what is derived from an Idempotency-Key (HKDF, RFC 5869).
type idempotencyKey struct {
	hash []byte // what is looked up
	mac  []byte
	aead cipher.AEAD
}

func newIdempotencyKey(scope, key string) (*idempotencyKey, error) {
	b, err := hkdf.Key(sha256.New, []byte(key), nil, "kadr idempotency "+scope, 96)
	if err != nil {
		return nil, fmt.Errorf("derive from the idempotency key: %w", err)
	}
	block, err := aes.NewCipher(b[64:])
	if err != nil {
		return nil, fmt.Errorf("seal a reply: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("seal a reply: %w", err)
	}
	return &idempotencyKey{hash: b[:32], mac: b[32:64], aead: aead}, nil
}

func (k *idempotencyKey) fingerprint(request any) ([]byte, error) {
	b, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("fingerprint a request: %w", err)
	}
	mac := hmac.New(sha256.New, k.mac)
	mac.Write(b)
	return mac.Sum(nil), nil
}

func (k *idempotencyKey) seal(r *recordedReply) ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("seal a reply: %w", err)
	}
	return k.aead.Seal(nil, nil, b, nil), nil //nolint:gosec // it makes its own nonce
}

func (k *idempotencyKey) open(sealed []byte) (visitor, error) {
	b, err := k.aead.Open(nil, nil, sealed, nil)
	if err != nil {
		return nil, fmt.Errorf("open a sealed reply: %w", err)
	}
	var r recordedReply
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("open a sealed reply: %w", err)
	}
	return r.write, nil
}

// recordedReply is a reply that can be written again; it implements http.ResponseWriter.
type recordedReply struct {
	Status int
	Head   http.Header
	Body   []byte
}

func (r *recordedReply) Header() http.Header { return r.Head }

func (r *recordedReply) WriteHeader(status int) { r.Status = status }

func (r *recordedReply) Write(b []byte) (int, error) {
	r.Body = append(r.Body, b...)
	return len(b), nil
}

func (r *recordedReply) write(w http.ResponseWriter) error {
	maps.Copy(w.Header(), r.Head)
	w.WriteHeader(r.Status)
	_, err := w.Write(r.Body)
	return err
}
