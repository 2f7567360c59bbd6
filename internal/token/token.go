// Package token makes what must not be guessed: public ids, session tokens, API keys and invitation codes.
//
// Everything is lower-case base32 (RFC 4648, a–z and 2–7) from the system's random source, so that it survives being
// read aloud, typed, and lower-cased by a forum's software.
package token

import (
	"crypto/rand"
	"crypto/sha256"
	"strings"
)

const (
	// IDLength is the length of an id in characters: 13 × 5 = 65 random bits.
	IDLength = 13
	// SecretLength is the length of a secret in characters: 26 × 5 = 130 random bits.
	SecretLength = 26
)

// ID returns a new public id.
func ID() string { return Secret()[:IDLength] }

// Secret returns a new secret.
func Secret() string { return strings.ToLower(rand.Text()) }

// Hash returns what is stored of a secret: its SHA-256. A plain hash is enough, since a secret of 130 random bits cannot
// be searched for; passwords go through Argon2id instead.
func Hash(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

// IsID reports whether s has the form of an id.
func IsID(s string) bool { return isBase32(s, IDLength) }

// IsSecret reports whether s has the form of a secret.
func IsSecret(s string) bool { return isBase32(s, SecretLength) }

func isBase32(s string, length int) bool {
	if len(s) != length {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}
