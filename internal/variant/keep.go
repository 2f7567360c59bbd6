package variant

import (
	"context"
	"io"
)

// Kept is a picture that an upload's own decode has made.
type Kept struct {
	Shape  Shape // normalized; of a master the format alone counts
	Master bool
	Data   io.Reader
	Size   int64 // bytes
}

// Keep stores pictures that were made already. The blob has to be there. What cannot be stored is made when somebody asks
// for it, so that is only logged.
func (m *Maker) Keep(ctx context.Context, src Source, kept []Kept) {
	var made []Entry
	for _, k := range kept {
		entry, err := m.keep(ctx, src, k)
		if err != nil {
			m.cfg.Log.WarnContext(ctx, "a picture made at the upload could not be kept", "ref", src.Ref, "error", err)
			continue
		}
		made = append(made, entry)
	}
	m.record(made)
}

func (m *Maker) keep(ctx context.Context, src Source, kept Kept) (Entry, error) {
	k := key{src.Ref, kept.Shape.Name()}
	if kept.Master {
		k.name = masterName(kept.Shape.Format)
	}
	v, err := m.blobs.NewVariant(ctx, k.ref, k.name)
	if err != nil {
		return Entry{}, err
	}
	defer v.Discard()
	n, err := io.Copy(v.File(), kept.Data)
	if err == nil && n != kept.Size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return Entry{}, err
	}
	return m.publish(k, v)
}
