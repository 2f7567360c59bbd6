package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/kadr-app/kadr/gen/client"
)

// errNotKadr is a reply that no instance gives.
var errNotKadr = errors.New("the server's reply is not Kadr's: is the address right?")

// octets is the media type of bytes whose format the instance finds out by itself.
const octets = "application/octet-stream"

// maxQuery bounds the texts of an upload in one request, which travel in its address, in bytes. Gateways take some
// thousand of them, and letters may take nine there.
const maxQuery = 500

// goodbye is how long an interrupted upload may take to leave nothing behind.
const goodbye = 5 * time.Second

// sender brings one file to the instance.
type sender struct {
	to       *instance
	file     *os.File
	size     int64
	about    client.UploadComplete // what is said of the picture
	patience patience
	moved    func(int64) // bytes that went, or have to go again
	told     func(error, time.Duration)
}

// stored is a picture that is safe on the instance.
type stored struct {
	*client.Image
	document []byte // as the instance sent it
}

// send sends what is small in one request, and what is large in parts that go on where a broken connection stopped them.
func (s *sender) send(ctx context.Context) (stored, error) {
	texts := len(valueOf(s.about.Title)) + len(valueOf(s.about.Description)) + len(valueOf(s.about.Filename))
	if s.size > s.patience.part || texts > maxQuery && s.size > 0 {
		return s.sendParts(ctx)
	}
	return s.sendWhole(ctx)
}

func (s *sender) sendWhole(ctx context.Context) (stored, error) {
	key := rand.Text()
	params := &client.UploadImageParams{
		Filename: s.about.Filename, Title: s.about.Title, Description: s.about.Description, Visibility: s.about.Visibility,
		KeepMetadata: s.about.KeepMetadata, AllowDuplicate: s.about.AllowDuplicate, IdempotencyKey: &key,
	}
	return retry(ctx, s.patience, s.told, func() (stored, error) {
		body := s.body(ctx, 0, s.size)
		r, err := s.to.UploadImageWithBodyWithResponse(body.ctx, params, octets, body, body.describe)
		body.end(err)
		if err != nil {
			return stored{}, err
		}
		return newStored(r.Body, r.JSON200, r.JSON201)
	})
}

func (s *sender) sendParts(ctx context.Context) (_ stored, err error) {
	key := rand.Text()
	up, err := retry(ctx, s.patience, s.told, func() (*client.Upload, error) {
		ctx, stop := linger(ctx) // or else an upload may begin there whose id is not known here
		defer stop()
		r, err := s.to.CreateUploadWithResponse(ctx, &client.CreateUploadParams{IdempotencyKey: &key},
			client.UploadCreate{Size: s.size, Filename: s.about.Filename})
		if err == nil && r.JSON201 == nil {
			err = errNotKadr
		}
		if err != nil {
			return nil, err
		}
		return r.JSON201, nil
	})
	if err != nil {
		return stored{}, err
	}
	defer func() {
		if err != nil { // nobody will go on with it; where the server is away, it expires
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
			defer cancel()
			_, _ = s.to.DeleteUploadWithResponse(ctx, up.ID, nil)
		}
	}()
	for offset := up.Offset; offset < s.size; {
		if offset, err = s.sendPart(ctx, up.ID, offset); err != nil {
			return stored{}, err
		}
	}
	return retry(ctx, s.patience, s.told, func() (stored, error) {
		r, err := s.to.CompleteUploadWithResponse(ctx, up.ID, s.about)
		if err != nil {
			return stored{}, err
		}
		return newStored(r.Body, r.JSON200, r.JSON201)
	})
}

// linger returns a context that ends a little after ctx.
func linger(ctx context.Context) (context.Context, func()) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(goodbye, func() { cancel(context.Cause(ctx)) }) })
	return longer, func() {
		stop()
		cancel(nil)
	}
}

// sendPart sends the part at offset and returns where the next one begins. When the connection breaks, what has arrived
// is not sent again, and is enough for this to succeed: only a connection that brings nothing at all uses up the patience.
func (s *sender) sendPart(ctx context.Context, id string, offset int64) (int64, error) {
	begin, broken := offset, false
	return retry(ctx, s.patience, s.told, func() (int64, error) {
		if broken {
			r, err := s.to.GetUploadWithResponse(ctx, id, nil)
			if err == nil && r.JSON200 == nil {
				err = errNotKadr
			}
			if err != nil {
				return begin, err
			}
			s.moved(r.JSON200.Offset - offset)
			if offset = r.JSON200.Offset; offset > begin {
				return offset, nil
			}
		}
		body := s.body(ctx, offset, min(s.patience.part, s.size-offset))
		r, err := s.to.AppendUploadWithBodyWithResponse(body.ctx, id, &client.AppendUploadParams{UploadOffset: offset}, octets, body, body.describe)
		if err == nil && (r.JSON200 == nil || r.JSON200.Offset <= offset) {
			err = errNotKadr
		}
		body.end(err)
		if err != nil {
			broken = true
			return begin, elsewhere(err)
		}
		return r.JSON200.Offset, nil
	})
}

// elsewhere makes it temporary that the upload is not where it was thought to be: a connection that broke here may go on
// bringing bytes there for a while.
func elsewhere(err error) error {
	var no *problem
	if errors.As(err, &no) && no.code == "upload_offset_mismatch" {
		return errors.New(no.text)
	}
	return err
}

func newStored(document []byte, images ...*client.Image) (stored, error) {
	for _, image := range images {
		if image != nil {
			var b bytes.Buffer
			if err := json.Compact(&b, document); err != nil {
				return stored{}, fmt.Errorf("read the reply: %w", err)
			}
			return stored{Image: image, document: b.Bytes()}, nil
		}
	}
	return stored{}, errNotKadr
}

// body is a stretch of the file on its way. It gives the request up when nothing moves for too long: without that, a
// connection whose other end is gone takes a quarter of an hour to be noticed.
type body struct {
	ctx    context.Context //nolint:containedctx // the request's own, which ends with the body
	cancel context.CancelCauseFunc
	file   io.Reader
	size   int64
	moved  func(int64)
	alarm  *time.Timer
	stall  time.Duration

	mu   sync.Mutex // a request may still read when it has failed
	sent int64
	over bool
}

var errStalled = errors.New("nothing goes through any more")

func (s *sender) body(ctx context.Context, offset, size int64) *body {
	ctx, cancel := context.WithCancelCause(ctx)
	return &body{
		ctx: ctx, cancel: cancel, file: io.NewSectionReader(s.file, offset, size), size: size, moved: s.moved,
		alarm: time.AfterFunc(s.patience.stall, func() { cancel(errStalled) }), stall: s.patience.stall,
	}
}

// end is called when the request is over. What a failed one sent has to go again, as far as is known.
func (b *body) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	b.alarm.Stop()
	b.cancel(nil)
	if err != nil {
		b.moved(-b.sent)
	}
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.file.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return 0, io.ErrClosedPipe
	}
	b.sent += int64(n)
	b.moved(int64(n))
	if err == nil {
		b.alarm.Reset(b.stall)
		return n, nil
	}
	b.alarm.Stop() // from here on the reply is awaited, which may take longer
	switch {
	case err != io.EOF:
		return n, fileError(err)
	case b.sent < b.size:
		return n, fmt.Errorf("%w became shorter while it was read", errFile)
	}
	return n, io.EOF
}

// describe tells the size, which the client cannot know of a reader, and lets the instance refuse a request before its
// body is sent.
func (b *body) describe(_ context.Context, req *http.Request) error {
	req.ContentLength = b.size
	if b.size == 0 {
		req.Body = http.NoBody
	}
	req.Header.Set("Expect", "100-continue")
	return nil
}

func valueOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
