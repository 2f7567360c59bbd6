package cli

import "time"

// Hasty returns the settings with little patience and small parts, so that tests need not wait.
func (s Settings) Hasty() Settings {
	s.patience = patience{
		first: 5 * time.Millisecond, longest: 2 * time.Second, tries: 6, stall: 500 * time.Millisecond, reply: 5 * time.Second, part: 64 << 10,
	}
	return s
}

// InParts returns the settings with parts of another size.
func (s Settings) InParts(bytes int64) Settings {
	s.patience.part = bytes
	return s
}
