package imaging

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/kadr-app/kadr/internal/apperr"
)

// What crosses the socket between the server and a decoder: a length of four bytes and JSON. The descriptors of the
// source and of the outputs, in this order, come with the first byte of a request. The server speaks only after the
// decoder's hello, and then one request waits for one reply.

// decoderFD is where a decoder finds its socket: the first descriptor after the standard three.
const decoderFD = 3

// maxMessage bounds what either side believes of a length.
const maxMessage = 64 << 10

// operation names what a request asks for.
type operation string

const (
	opProbe  operation = "probe"
	opIngest operation = "ingest"
	opRender operation = "render"
	// opSelfTest asks the decoder to try something that it must not be able to do, or to misbehave in a given way. Only
	// the tests send it, but it is in every build: what is tested is what runs.
	opSelfTest operation = "self_test"
)

// wireOutput is an Output without its file.
type wireOutput struct {
	Shape
	Format       Format    `json:"format"`
	Quality      int       `json:"quality,omitempty"`
	Effort       int       `json:"effort,omitempty"`
	Intermediate bool      `json:"intermediate,omitempty"`
	When         Condition `json:"when"`
}

func newWireOutput(o Output) wireOutput {
	return wireOutput{
		Shape: o.Shape, Format: o.Format, Quality: o.Quality, Effort: o.Effort, Intermediate: o.Intermediate, When: o.When,
	}
}

type wireRequest struct {
	Operation operation    `json:"operation"`
	Limits    Limits       `json:"limits"`
	Width     int          `json:"width,omitempty"` // RenderRequest's
	Height    int          `json:"height,omitempty"`
	Outputs   []wireOutput `json:"outputs,omitempty"`
	SelfTest  string       `json:"self_test,omitempty"`
}

type wireReply struct {
	Info      Info       `json:"info"`
	ThumbHash []byte     `json:"thumb_hash,omitempty"`
	Outputs   []Rendered `json:"outputs,omitempty"`
	Error     *wireError `json:"error,omitempty"`
	RSS       int64      `json:"rss"` // of the decoder after the request, in bytes
}

// wireHello is the first thing that a decoder says.
type wireHello struct {
	Vips    string   `json:"vips"`
	Input   []Format `json:"input"` // what it can read and make
	Output  []Format `json:"output"`
	Missing []string `json:"missing,omitempty"` // protections that this system does not offer, and why
	Error   string   `json:"error,omitempty"`   // why it cannot work
}

// wireError is an apperr.Error in transit.
type wireError struct {
	Kind    apperr.Kind `json:"kind"`
	Code    string      `json:"code"`
	Message string      `json:"message"`
	Field   string      `json:"field,omitempty"`
	Cause   string      `json:"cause,omitempty"`
}

func newWireError(err error) *wireError {
	if err == nil {
		return nil
	}
	var e *apperr.Error
	if !errors.As(err, &e) {
		return &wireError{Kind: apperr.Internal, Code: "internal", Cause: err.Error()}
	}
	w := &wireError{Kind: e.Kind, Code: e.Code, Message: e.Message, Field: e.Field}
	if cause := errors.Unwrap(e); cause != nil {
		w.Cause = cause.Error()
	}
	return w
}

func (w *wireError) err() error {
	if w.Kind == apperr.Internal {
		return errors.New("imaging: decoder: " + w.Cause)
	}
	e := apperr.New(w.Kind, w.Code, w.Message).At(w.Field)
	if w.Cause != "" {
		e = e.Wrap(errors.New(w.Cause))
	}
	return e
}

func encodeMessage(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("imaging: encode message: %w", err)
	}
	if len(body) > maxMessage {
		return nil, fmt.Errorf("imaging: a message of %d bytes", len(body))
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...), nil
}

func readMessage(r io.Reader, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	return readBody(r, head, v)
}

func readBody(r io.Reader, head [4]byte, v any) error {
	n := binary.BigEndian.Uint32(head[:])
	if n > maxMessage {
		return fmt.Errorf("imaging: a message of %d bytes announced", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("imaging: decode message: %w", err)
	}
	return nil
}
