package image

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/imaging"
)

// Decoders decodes pictures; *imaging.Pool does, in processes of their own.
type Decoders interface {
	Ingest(ctx context.Context, src *os.File, req imaging.IngestRequest) (imaging.Ingested, error)
}

// Config limits what a Service takes.
type Config struct {
	MaxUploadBytes int64
	MaxPixels      int64 // all frames counted
	// Outputs are the formats that variants can be made in.
	Outputs []imaging.Format
	// Changed is called with the ids of pictures whose links answer differently from now on, before whoever changed them
	// is told so. It must not block. It may be nil.
	Changed func(ids []string)
}

// Service is what can be done with pictures.
type Service struct {
	store    Store
	blobs    blob.Store
	decoders Decoders
	variants Variants
	cfg      Config
	log      *slog.Logger
	reclaims chan struct{}
}

// NewService returns a Service over its three stores of truth.
func NewService(store Store, blobs blob.Store, decoders Decoders, variants Variants, cfg Config, log *slog.Logger) *Service {
	if cfg.Changed == nil {
		cfg.Changed = func([]string) {}
	}
	return &Service{
		store: store, blobs: blobs, decoders: decoders, variants: variants, cfg: cfg, log: log, reclaims: make(chan struct{}, 1),
	}
}

// Get returns a picture that viewer (an account's id, empty for a stranger) may see; ErrNotFound, or ErrGone when it was
// deleted.
func (s *Service) Get(ctx context.Context, viewer, id string) (Image, error) {
	img, err := s.store.Image(ctx, id)
	if err != nil {
		return Image{}, err
	}
	if !img.VisibleTo(viewer) {
		return Image{}, ErrNotFound
	}
	return img, nil
}

// List returns a page of an account's own pictures.
func (s *Service) List(ctx context.Context, q Query) ([]Image, error) { return s.store.Images(ctx, q) }

// Feed returns a page of public pictures.
func (s *Service) Feed(ctx context.Context, q FeedQuery) ([]Image, error) {
	return s.store.Feed(ctx, q)
}

// Update changes one of the account's pictures; ErrNotFound (also for somebody else's), ErrGone or ErrChanged.
func (s *Service) Update(ctx context.Context, accountID, id string, p Patch) (Image, error) {
	img, err := s.store.UpdateImage(ctx, accountID, id, p)
	s.cfg.Changed([]string{id}) // also after an error: it may have been done all the same
	return img, err
}

// Delete deletes one of the account's pictures, and its bytes with the last reference to them. Errors as for Update.
func (s *Service) Delete(ctx context.Context, accountID, id string, ifRevision func(int64) bool) error {
	deleted, err := s.store.DeleteImages(ctx, accountID, []string{id}, ifRevision)
	s.cfg.Changed([]string{id})
	if err != nil {
		return err
	}
	if len(deleted) == 0 {
		if _, err := s.Get(ctx, accountID, id); err != nil {
			return err
		}
		return ErrNotFound // somebody else's, which the account can see but not delete
	}
	s.reclaim(ctx, deleted)
	return nil
}

// DeleteMany deletes those of the account's pictures among ids that exist, and returns the ids of the deleted.
func (s *Service) DeleteMany(ctx context.Context, accountID string, ids []string) ([]string, error) {
	deleted, err := s.store.DeleteImages(ctx, accountID, ids, nil)
	s.cfg.Changed(ids)
	if err != nil {
		return nil, err
	}
	s.reclaim(ctx, deleted)
	gone := make([]string, len(deleted))
	for i, img := range deleted {
		gone[i] = img.ID
	}
	return gone, nil
}

// SetVisibility changes those of the account's pictures among ids that exist, and returns their ids.
func (s *Service) SetVisibility(ctx context.Context, accountID string, ids []string, v Visibility) ([]string, error) {
	done, err := s.store.SetVisibility(ctx, accountID, ids, v)
	s.cfg.Changed(ids)
	return done, err
}

// reclaim removes the bytes of deleted pictures that nothing else refers to. The deletion itself is done by then, so a
// failure is only logged: the sweep tries again.
func (s *Service) reclaim(ctx context.Context, deleted []Image) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	done := make(map[blob.Ref]bool, len(deleted))
	for _, img := range deleted {
		if done[img.Ref] {
			continue
		}
		done[img.Ref] = true
		if _, err := s.removeBlob(ctx, img.Ref); err != nil {
			s.log.WarnContext(ctx, "bytes of a deleted picture are left to the sweep", "ref", img.Ref, "error", err)
		}
	}
}

// Reclaim asks for the bytes that nothing refers to any more, after pictures were deleted in another way than by Delete.
// It returns at once; whoever listens to Reclaims does the work.
func (s *Service) Reclaim() {
	select {
	case s.reclaims <- struct{}{}:
	default: // it is asked for already
	}
}

// Reclaims receives when SweepBlobs should run.
func (s *Service) Reclaims() <-chan struct{} { return s.reclaims }

func (s *Service) removeBlob(ctx context.Context, ref blob.Ref) (bool, error) {
	return s.store.RemoveBlob(ctx, ref, func(ctx context.Context) error { return s.blobs.Remove(ctx, ref) })
}
