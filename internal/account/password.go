package account

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/alexedwards/argon2id"
)

// OWASP's parameters for Argon2id: 19 MiB, two passes, one lane.
const (
	hashMemoryKiB  = 19 * 1024
	hashPasses     = 2
	hashLanes      = 1
	hashSaltLength = 16
	hashKeyLength  = 32
)

const defaultHashQueue = 64

// hasher hashes and checks passwords, only so many at once: each takes 19 MiB and a core for tens of milliseconds, so
// that without a bound a few hundred sign-ins at once would take the machine.
type hasher struct {
	params argon2id.Params
	dummy  string        // a well-formed hash with params that no password has
	places chan struct{} // one for each hash at work or waiting
	slots  chan struct{} // one for each hash at work
	checks atomic.Int64  // how many checks ran to their end
}

func newHasher(concurrency, queue int) *hasher {
	if concurrency <= 0 {
		concurrency = runtime.NumCPU()
	}
	if queue <= 0 {
		queue = defaultHashQueue
	}
	params := argon2id.Params{
		Memory: hashMemoryKiB, Iterations: hashPasses, Parallelism: hashLanes,
		SaltLength: hashSaltLength, KeyLength: hashKeyLength,
	}
	return &hasher{
		params: params,
		dummy:  dummyHash(params),
		places: make(chan struct{}, concurrency+queue),
		slots:  make(chan struct{}, concurrency),
	}
}

// dummyHash makes up a key instead of computing one: checking against it costs the same as against a real hash.
func dummyHash(p argon2id.Params) string {
	made := make([]byte, p.SaltLength+p.KeyLength)
	_, _ = rand.Read(made) // never fails
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s",
		p.Memory, p.Iterations, p.Parallelism, encode(made[:p.SaltLength]), encode(made[p.SaltLength:]))
}

// enter waits for a slot and returns what gives it back. ErrBusy when too many are waiting already.
func (h *hasher) enter(ctx context.Context) (leave func(), err error) {
	select {
	case h.places <- struct{}{}:
	default:
		return nil, ErrBusy.After(time.Second)
	}
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots; <-h.places }, nil
	case <-ctx.Done():
		<-h.places
		return nil, fmt.Errorf("wait to hash a password: %w", ctx.Err())
	}
}

// hash returns what is stored of a password. ErrBusy.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	hash, err := argon2id.CreateHash(password, &h.params)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return hash, nil
}

// check reports whether a hash is password's. An empty hash stands for an account that does not exist: it is nobody's,
// and takes just as long. ErrBusy.
func (h *hasher) check(ctx context.Context, password, hash string) (bool, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	exists := hash != ""
	if !exists {
		hash = h.dummy
	}
	match, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return false, fmt.Errorf("check a password: %w", err)
	}
	h.checks.Add(1)
	return match && exists, nil
}
