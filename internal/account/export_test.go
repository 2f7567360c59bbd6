package account

// Checks returns how many passwords were checked to the end, against a real hash or a made-up one.
func Checks(s *Service) int64 { return s.hasher.checks.Load() }

// CheapHashes makes hashing cost next to nothing, for tests that are about something else.
func CheapHashes(s *Service) {
	s.hasher.params.Memory, s.hasher.params.Iterations = 64, 1
	s.hasher.dummy = dummyHash(s.hasher.params)
}

// Busy takes every place in which a password could be hashed or wait for that, until the returned function is called.
func Busy(s *Service) (free func()) {
	for range cap(s.hasher.places) {
		s.hasher.places <- struct{}{}
	}
	return func() {
		for range cap(s.hasher.places) {
			<-s.hasher.places
		}
	}
}
