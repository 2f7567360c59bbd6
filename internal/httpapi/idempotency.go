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

	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/apperr"
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

func (v visitor) VisitBulkUpdateImagesResponse(w http.ResponseWriter) error { return v(w) }

const (
	// idempotencyLock is how long a request with a key that gives no sign of life keeps its repetitions from running: its
	// server was killed, or is cut off from the database.
	idempotencyLock = 10 * time.Second
	// idempotencyBeat is how often a request that is at work gives one.
	idempotencyBeat = 2 * time.Second
)

// IdempotencyStore remembers replies for 24 hours.
type IdempotencyStore interface {
	// Claim asks to run the request that carries a key: of any number of callers one gets a claim, which is known by its
	// time, and the others the reply that it Completed, or an apperr.Conflict while there is none, or an
	// apperr.Unprocessable when the fingerprint is not the first request's.
	Claim(ctx context.Context, scope string, keyHash, fingerprint []byte, lock time.Duration) (claimed time.Time, reply []byte, err error)
	// Extend and Complete return an apperr.Conflict when the lock had run out and somebody else has the claim.
	Extend(ctx context.Context, scope string, keyHash []byte, claimed time.Time, lock time.Duration) error
	Complete(ctx context.Context, scope string, keyHash []byte, claimed time.Time, reply []byte) error
	// Release lets the next request with the key run.
	Release(ctx context.Context, scope string, keyHash []byte, claimed time.Time) error
}

// once runs an operation, or repeats the reply that it gave before to the same Idempotency-Key
// (draft-ietf-httpapi-idempotency-key-header). scope keeps the keys of different people and operations apart; request is
// what makes two requests the same. A request that failed is not remembered: its repetition runs. Nor are headers that
// belong to one reply alone (its id, how limits stand): those are not written by the operation, and are always the latest.
// What is remembered is some kilobytes at most, by the contract's limits.
//
// The effect and the reply are not one transaction. A server that dies between the two, in which there is nothing but the
// writing of the reply, leaves an effect whose repetition runs again.
//
// The reply may hold a secret (a new API key, a session's cookie) and the request a password, so neither is stored as it
// is: the reply is sealed, and the request's fingerprint keyed, with keys derived from the Idempotency-Key, of which only
// a hash is kept.
func (s *Server) once(ctx context.Context, scope string, key *string, request any, run func(context.Context) (visitor, error)) (visitor, error) {
	if key == nil {
		return run(ctx)
	}
	c, err := s.claim(ctx, scope, *key, request)
	if err != nil {
		return nil, err
	}
	return s.answer(ctx, c, run)
}

// onceByPassword is once for a request that carries a password, at which whoever knows its key could otherwise guess without
// end: a wrong one hears that the key belongs to another request, and the right one gets the first reply. So count counts an
// attempt before the key is looked at, and it stays counted when the key belongs to another request. What repeats the first
// is no guess, and what runs counts by itself.
func (s *Server) onceByPassword(
	ctx context.Context, scope string, key *string, request any,
	count func() (limits []account.LimitState, undo func(context.Context), err error),
	run func(context.Context) (visitor, error),
) (visitor, error) {
	if key == nil {
		return run(ctx)
	}
	limits, undo, err := count()
	if err != nil {
		noteLimits(ctx, limits)
		return nil, err
	}
	c, err := s.claim(ctx, scope, *key, request)
	if apperr.KindOf(err) == apperr.Unprocessable {
		noteLimits(ctx, limits)
		return nil, err
	}
	undo(ctx)
	if err != nil {
		return nil, err
	}
	return s.answer(ctx, c, run)
}

// claim is what a request with a key came to: it may run, or gets the reply that was kept.
type claim struct {
	key    *idempotencyKey
	at     time.Time // zero when there is a reply
	sealed []byte    // the reply
}

func (s *Server) claim(ctx context.Context, scope, key string, request any) (claim, error) {
	k, err := newIdempotencyKey(scope, key)
	if err != nil {
		return claim{}, err
	}
	fingerprint, err := k.fingerprint(request)
	if err != nil {
		return claim{}, err
	}
	at, sealed, err := s.idempotency.Claim(ctx, scope, k.hash, fingerprint, idempotencyLock)
	return claim{k, at, sealed}, err
}

// answer runs what was claimed and keeps its reply, or opens the reply that was kept.
func (s *Server) answer(ctx context.Context, c claim, run func(context.Context) (visitor, error)) (visitor, error) {
	if c.at.IsZero() {
		return c.key.open(c.sealed)
	}
	working, stop := s.holdClaim(ctx, c)
	defer stop()
	reply := &recordedReply{Head: http.Header{}}
	visit, err := run(working)
	if err == nil {
		err = visit(reply)
	}
	var sealed []byte
	if err == nil {
		sealed, err = c.key.seal(reply)
	}
	// The client may have gone away, which is just when it will ask again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if lost := context.Cause(working); apperr.KindOf(lost) == apperr.Conflict {
		return nil, lost
	}
	if err != nil {
		return nil, errors.Join(err, s.idempotency.Release(ctx, c.key.scope, c.key.hash, c.at))
	}
	if err := s.idempotency.Complete(ctx, c.key.scope, c.key.hash, c.at, sealed); err != nil {
		return nil, err
	}
	return reply.write, nil
}

// holdClaim gives signs of life until stop is called. The context that it returns ends when somebody else has the claim, for
// two must not be at work.
func (s *Server) holdClaim(ctx context.Context, c claim) (working context.Context, stop func()) {
	working, cancel := context.WithCancelCause(ctx)
	beating, stop := context.WithCancel(context.WithoutCancel(ctx)) // work may go on for a while after its client is gone
	go func() {
		for beat := time.Tick(idempotencyBeat); ; {
			select {
			case <-beating.Done():
				cancel(nil)
				return
			case <-beat:
			}
			// Any other failure passes, or the lock runs out.
			err := s.idempotency.Extend(beating, c.key.scope, c.key.hash, c.at, idempotencyLock)
			if apperr.KindOf(err) == apperr.Conflict {
				cancel(err)
				return
			}
		}
	}()
	return working, stop
}

// idempotencyKey is what is derived from an Idempotency-Key (HKDF, RFC 5869).
type idempotencyKey struct {
	scope string
	hash  []byte // what is looked up
	mac   []byte
	aead  cipher.AEAD
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
	return &idempotencyKey{scope: scope, hash: b[:32], mac: b[32:64], aead: aead}, nil
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
