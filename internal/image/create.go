package image

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/imaging/metadata"
	"github.com/kadr-app/kadr/internal/token"
)

// reservationLifetime is how long an upload may take from its last byte to its row. Decoding is over by then; what is
// left is an fsync and a transaction, and those may be slow on a bad day, but not this slow.
const reservationLifetime = 15 * time.Minute

// MaxFilename is the longest file name, in characters.
const MaxFilename = 255

// Upload says what is to become of received bytes.
type Upload struct {
	AccountID, AccountName string
	KeepMetadata           bool
	Visibility             Visibility
	Filename               string // as the sender calls it; cleaned, and made up when empty
	Title, Description     string
	AllowDuplicate         bool
}

// Receive writes what a client sends to a temporary file, while its hash is computed, in constant memory. It returns
// apperr.TooLarge as soon as there is more than Config.MaxUploadBytes. The caller must Discard the result.
func (s *Service) Receive(ctx context.Context, r io.Reader) (*blob.Staged, error) {
	return s.blobs.Stage(ctx, r, s.cfg.MaxUploadBytes)
}

// Create makes a picture of received bytes: it checks that they are one, removes private metadata unless it is to be
// kept, makes thumbnail and master, and stores all of it durably. When it returns without an error the picture survives
// anything that the disk survives. The bool is false when the account had the picture already, and that one is returned.
//
// It returns imaging's errors for what is not a picture, is broken, or is too large; ErrQuota; apperr.Unavailable when
// the decoders are too busy or the database does not answer; apperr.InsufficientStorage when the disk is full.
func (s *Service) Create(ctx context.Context, received *blob.Staged, up Upload) (Image, bool, error) {
	original, err := s.strip(ctx, received, up.KeepMetadata)
	if err != nil {
		return Image{}, false, err
	}
	defer original.Discard()

	eager, err := s.newEager()
	if err != nil {
		return Image{}, false, err
	}
	defer eager.discard()
	found, err := s.decoders.Ingest(ctx, original.File(), imaging.IngestRequest{
		Limits: imaging.Limits{MaxPixels: s.cfg.MaxPixels}, Outputs: eager.outputs,
	})
	if err != nil {
		return Image{}, false, err
	}

	img := Image{
		ID:          token.ID(),
		AccountID:   up.AccountID,
		AccountName: up.AccountName,
		Ref:         original.Ref(),
		Format:      found.Format,
		Width:       found.Width,
		Height:      found.Height,
		Frames:      found.Frames,
		Transparent: found.HasAlpha,
		Size:        original.Size(),
		Title:       up.Title,
		Description: up.Description,
		Visibility:  up.Visibility,
		Placeholder: found.ThumbHash,
	}
	img.Filename = cleanFilename(up.Filename, img.ID, img.Format)

	// From here on the client's going away must not leave half of the work behind.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	img, created, err := s.keep(ctx, original, img, up.AllowDuplicate)
	if err != nil {
		return Image{}, false, err
	}
	if created {
		s.keepEager(ctx, img, eager, found.Outputs)
	}
	return img, created, nil
}

// keep makes the bytes durable and inserts the row; see Store for why in this order. A reservation that was lost on the
// way (the database restarted) is made once more.
func (s *Service) keep(ctx context.Context, original *blob.Staged, img Image, allowDuplicate bool) (Image, bool, error) {
	kept, created, err := s.tryKeep(ctx, original, img, allowDuplicate)
	if !errors.Is(err, ErrReservation) {
		return kept, created, err
	}
	// What was committed may have been removed since, so it takes a copy to commit once more.
	again, err := s.blobs.Stage(ctx, io.NewSectionReader(original.File(), 0, original.Size()), original.Size())
	if err != nil {
		return Image{}, false, err
	}
	defer again.Discard()
	return s.tryKeep(ctx, again, img, allowDuplicate)
}

func (s *Service) tryKeep(ctx context.Context, original *blob.Staged, img Image, allowDuplicate bool) (Image, bool, error) {
	if err := s.store.ReserveBlob(ctx, img.Ref, img.Size, reservationLifetime); err != nil {
		return Image{}, false, err
	}
	err := s.blobs.Commit(ctx, original)
	if err == nil {
		var kept Image
		var created bool
		if kept, created, err = s.store.CreateImage(ctx, img, allowDuplicate); err == nil {
			return kept, created, nil
		}
		if kind := apperr.KindOf(err); kind != apperr.Internal && kind != apperr.Unavailable && kind != apperr.InsufficientStorage {
			s.reclaim(ctx, []Image{img}) // CreateImage ended the reservation
			return Image{}, false, err
		}
	}
	// Should the reservation be over all the same, this may end another upload's of the same bytes, which then makes one
	// more. That it cannot be ended is no matter: it runs out by itself.
	_ = s.store.ReleaseBlob(ctx, img.Ref)
	s.reclaim(ctx, []Image{img})
	return Image{}, false, err
}

// strip returns the file without its private metadata: received itself where there is none, or it is to be kept. The
// caller must Discard the result.
func (s *Service) strip(ctx context.Context, received *blob.Staged, keep bool) (*blob.Staged, error) {
	size := received.Size()
	if size == 0 {
		return nil, imaging.ErrEmpty
	}
	head := make([]byte, min(size, 32))
	if _, err := received.File().ReadAt(head, 0); err != nil {
		return nil, err
	}
	format, ok := imaging.Sniff(head)
	if !ok {
		return nil, imaging.ErrNotAllowed
	}
	if keep {
		return received, nil
	}
	report, err := metadata.Inspect(received.File(), size, string(format))
	if err != nil {
		return nil, err
	}
	if !report.Private {
		return received, nil
	}
	pr, pw := io.Pipe()
	go func() {
		_, err := metadata.Strip(pw, received.File(), size, string(format))
		_ = pw.CloseWithError(err) // nil closes with EOF
	}()
	stripped, err := s.blobs.Stage(ctx, pr, report.StrippedSize)
	_ = pr.CloseWithError(io.ErrClosedPipe) // lets the writer go if Stage stopped early
	return stripped, err
}

// turnsText tells the embeddings, overrides and isolates of Unicode's bidirectional algorithm (UAX #9): with one of them
// "gpj.exe" can look like "exe.jpg". The marks that right-to-left names need do not do that.
func turnsText(r rune) bool { return '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069' }

// cleanFilename returns a name that is safe to show, to store and to send in a header: no folders, no control
// characters, valid UTF-8, at most MaxFilename characters, never empty.
func cleanFilename(name, id string, format imaging.Format) string {
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || turnsText(r) {
			return -1
		}
		return r
	}, name)
	name = strings.TrimSpace(name)
	if name == "" || name == "." || name == ".." {
		return id + "." + format.Extension()
	}
	if runes := []rune(name); len(runes) > MaxFilename {
		// Keep the end, where the extension is.
		name = strings.TrimSpace(string(runes[len(runes)-MaxFilename:]))
	}
	return name
}
