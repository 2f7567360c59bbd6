package account

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kadr-app/kadr/internal/apperr"
)

// Limits that the contract has too; they are repeated here for callers that don't come through it.
const (
	MinNameLength     = 2
	MaxNameLength     = 32
	MinPasswordLength = 10 // characters, not bytes
	MaxPasswordLength = 256
	MaxEmailLength    = 254
	MaxKeyNameLength  = 100
	maxUserAgent      = 400
)

// ValidateName returns Invalid unless name is 2 to 32 lower-case letters, digits, hyphens and underscores and begins
// with a letter or a digit.
func ValidateName(name string) error {
	ok := len(name) >= MinNameLength && len(name) <= MaxNameLength
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case (c == '-' || c == '_') && i > 0:
		default:
			ok = false
		}
	}
	if !ok {
		return apperr.New(apperr.Invalid, "invalid_name", "A name is 2 to 32 lower-case letters, digits, hyphens and "+
			"underscores, and begins with a letter or a digit.").At("/name")
	}
	return nil
}

// ValidatePassword returns Invalid unless password is 10 to 256 characters of any kind but NUL.
func ValidatePassword(password string) error {
	n := utf8.RuneCountInString(password)
	if n < MinPasswordLength || n > MaxPasswordLength || strings.ContainsRune(password, 0) || !utf8.ValidString(password) {
		return apperr.New(apperr.Invalid, "invalid_password", "A password is 10 to 256 characters.").At("/password")
	}
	return nil
}

// ValidateEmail returns Invalid unless email is empty or looks like an address at a domain. Nobody writes there to
// prove it, so this only catches slips.
func ValidateEmail(email string) error {
	if email == "" {
		return nil
	}
	local, domain, _ := strings.Cut(email, "@")
	badRune := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == utf8.RuneError }
	if utf8.RuneCountInString(email) > MaxEmailLength || local == "" || utf8.RuneCountInString(local) > 64 ||
		strings.ContainsFunc(local, badRune) || !isDomain(domain) {
		return apperr.New(apperr.Invalid, "invalid_email", "This is not an email address.").At("/email")
	}
	return nil
}

// isDomain reports whether s is two labels or more, of letters and digits of any script and hyphens inside.
func isDomain(s string) bool {
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			if r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
				return false
			}
		}
	}
	return len(labels) >= 2 && len(s) <= 253
}

// ValidateRole returns Invalid unless role is one of the roles.
func ValidateRole(role Role) error {
	if role != RoleAdmin && role != RoleMember {
		return apperr.New(apperr.Invalid, "invalid_role", "A role is admin or member.").At("/role")
	}
	return nil
}

func validateVisibility(v Visibility) error {
	if v != VisibilityPublic && v != VisibilityUnlisted && v != VisibilityPrivate {
		return apperr.New(apperr.Invalid, "invalid_visibility", "A visibility is public, unlisted or private.").
			At("/default_visibility")
	}
	return nil
}

func validateKeyName(name string) error {
	n := utf8.RuneCountInString(name)
	control := func(r rune) bool { return r < 0x20 || r == 0x7F } // as the contract's pattern has it
	if n < 1 || n > MaxKeyNameLength || strings.ContainsFunc(name, control) || !utf8.ValidString(name) {
		return apperr.New(apperr.Invalid, "invalid_name", "The name of a key is 1 to 100 characters on one line.").At("/name")
	}
	return nil
}

// validateScopes returns the scopes in their order, each once.
func validateScopes(scopes []Scope) ([]Scope, error) {
	sorted := make([]Scope, 0, len(scopes))
	for _, s := range Scopes() {
		if slices.Contains(scopes, s) {
			sorted = append(sorted, s)
		}
	}
	unknown := slices.ContainsFunc(scopes, func(s Scope) bool { return !slices.Contains(sorted, s) })
	if len(sorted) == 0 || unknown {
		return nil, apperr.New(apperr.Invalid, "invalid_scopes",
			"A key needs one scope or more of images:read, images:write, images:delete and account:read.").At("/scopes")
	}
	return sorted, nil
}

// cleanUserAgent keeps what may be stored and shown of what a browser calls itself.
func cleanUserAgent(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if runes := []rune(s); len(runes) > maxUserAgent {
		s = string(runes[:maxUserAgent])
	}
	return s
}
