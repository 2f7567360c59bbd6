package backup

// EachPass has fn called after each pass over the files.
func (s *Service) EachPass(fn func(n int)) { s.pass = fn }

// EachStep has fn called between the steps of a restore.
func (r *Restorer) EachStep(fn func(step string)) { r.pass = fn }

// Encode writes a manifest and its sum.
func (m Manifest) Encode() (text, sum []byte, err error) { return m.encode() }
