package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/kadr-app/kadr/gen/server"
	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/image"
)

// UploadImage takes a picture, as a form or as it is.
func (s *Server) UploadImage(ctx context.Context, req server.UploadImageRequestObject) (_ server.UploadImageResponseObject, err error) {
	outcome := uploadRepeated
	defer func() { s.countUpload(outcome, receivedOf(ctx), err) }()
	if err := s.checkLength(ctx, req.MultipartBody != nil); err != nil {
		return nil, err
	}
	digest, err := newDigestCheck(req.Params.ContentDigest, infoOf(ctx).body)
	if err != nil {
		return nil, err
	}
	received, fields, err := s.receive(ctx, req)
	if received != nil {
		defer received.Discard()
	}
	if err == nil {
		err = digest.verify()
	}
	if err != nil {
		return nil, err
	}

	fingerprint := []any{received.Ref(), fields}
	return s.once(ctx, principalOf(ctx).AccountID+"/uploadImage", req.Params.IdempotencyKey, fingerprint, func(ctx context.Context) (visitor, error) {
		img, created, err := s.images.Create(ctx, received, fields.upload(principalOf(ctx)))
		if err != nil {
			return nil, err
		}
		outcome = uploadExisting
		if created {
			outcome = uploadCreated
		}
		return s.uploaded(img, created, fields.AsText), nil
	})
}

// uploaded writes the reply: 201 or 200, as JSON or as the direct link alone.
func (s *Server) uploaded(img image.Image, created, asText bool) visitor {
	body, tag := s.toAPIImage(img), new(etag(img.ID, img.Revision))
	location := new("/api/v1/images/" + img.ID)
	switch {
	case created && asText:
		return server.UploadImage201TextResponse{Body: body.URL, Headers: server.UploadImage201ResponseHeaders{ETag: tag, Location: location}}.VisitUploadImageResponse
	case created:
		return server.UploadImage201JSONResponse{Body: body, Headers: server.UploadImage201ResponseHeaders{ETag: tag, Location: location}}.VisitUploadImageResponse
	case asText:
		return server.UploadImage200TextResponse{Body: body.URL, Headers: server.UploadImage200ResponseHeaders{ETag: tag}}.VisitUploadImageResponse
	default:
		return server.UploadImage200JSONResponse{Body: body, Headers: server.UploadImage200ResponseHeaders{ETag: tag}}.VisitUploadImageResponse
	}
}

// formSlack is what a form may need around the file: boundaries, headers and the other fields.
const formSlack = 64 << 10

// checkLength refuses what says of itself that it is too large, before a byte of it is read.
func (s *Server) checkLength(ctx context.Context, isForm bool) error {
	limit := s.cfg.MaxUploadBytes
	if isForm {
		limit += formSlack
	}
	if infoOf(ctx).request.ContentLength > limit {
		return s.tooLarge()
	}
	return nil
}

func (s *Server) tooLarge() error {
	return &problem{
		status: http.StatusRequestEntityTooLarge, code: "file_too_large",
		detail: fmt.Sprintf("The file is larger than %d bytes.", s.cfg.MaxUploadBytes),
	}
}

// uploadFields are what came beside the file, from the query and from the form.
type uploadFields struct {
	Filename, Title, Description *string
	Visibility                   *server.Visibility
	KeepMetadata                 *bool
	AllowDuplicate, AsText       bool
}

// upload fills what was not said with what the account prefers.
func (f uploadFields) upload(p account.Principal) image.Upload {
	up := image.Upload{
		AccountID: p.AccountID, AccountName: p.Name, KeepMetadata: p.KeepMetadata,
		Visibility: image.Visibility(p.DefaultVisibility), AllowDuplicate: f.AllowDuplicate,
	}
	if f.KeepMetadata != nil {
		up.KeepMetadata = *f.KeepMetadata
	}
	if f.Visibility != nil {
		up.Visibility = image.Visibility(*f.Visibility)
	}
	for _, field := range []struct{ from, to *string }{{f.Filename, &up.Filename}, {f.Title, &up.Title}, {f.Description, &up.Description}} {
		if field.from != nil {
			*field.to = *field.from
		}
	}
	return up
}

// receive takes the whole body: the file into the store's hands, and what came beside it. What it returns has to be
// discarded even with an error.
func (s *Server) receive(ctx context.Context, req server.UploadImageRequestObject) (*blob.Staged, uploadFields, error) {
	p := req.Params
	fields := uploadFields{
		Filename: p.Filename, Title: p.Title, Description: p.Description, Visibility: p.Visibility, KeepMetadata: p.KeepMetadata,
		AllowDuplicate: p.AllowDuplicate != nil && *p.AllowDuplicate,
		AsText:         p.Format != nil && *p.Format == server.Txt,
	}
	var received *blob.Staged
	var err error
	if req.MultipartBody != nil {
		received, err = s.receiveForm(ctx, req.MultipartBody, &fields)
	} else {
		// Not req.Body: the generated code sets that for one of the raw media types only.
		received, err = s.images.Receive(ctx, rawBody(ctx))
	}
	if errors.Is(err, blob.ErrTooLarge) {
		err = s.tooLarge()
	}
	return received, fields, err
}

// receiveForm walks through a form's parts in the order in which they come, so that the file never has to wait in memory.
func (s *Server) receiveForm(ctx context.Context, form *multipart.Reader, fields *uploadFields) (received *blob.Staged, err error) {
	seen := map[string]bool{}
	for {
		part, err := form.NextRawPart()
		if err == io.EOF { //nolint:errorlint // the form's end; a wrapped one is a form that was cut off
			break
		}
		if err != nil {
			return received, formError(ctx, err)
		}
		name := printable(part.FormName(), 100)
		if seen[name] {
			return received, formFault(name, "repeated_field", "This field may be given only once.")
		}
		seen[name] = true
		if name == "file" {
			received, err = s.images.Receive(ctx, part)
			if err == nil && fields.Filename == nil && part.FileName() != "" {
				fields.Filename = new(part.FileName())
			}
		} else {
			err = s.readField(part, name, fields)
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = formError(ctx, err)
		}
		if err != nil {
			return received, err
		}
	}
	// What may follow the form means nothing (RFC 2046 §5.1.1), but it belongs to the request.
	if _, err := io.Copy(io.Discard, infoOf(ctx).body); err != nil {
		return received, err
	}
	if received == nil {
		return nil, formFault("file", "required", "The form has no file.")
	}
	return received, nil
}

// maxField is the longest value of a form's field in bytes: 4,000 characters of up to four.
const maxField = 16 << 10

// readField reads one text field and holds it against the contract's schema of the same name.
func (s *Server) readField(part *multipart.Part, name string, fields *uploadFields) error {
	property := s.contract.uploadSchema.Properties[name]
	if property == nil {
		return formFault(name, "unknown_field", "There is no such field.")
	}
	b, err := io.ReadAll(io.LimitReader(part, maxField+1))
	if err != nil {
		return err
	}
	text := string(b)
	if len(b) > maxField {
		return formFault(name, "max_length", "This is too long.")
	}
	if !utf8.ValidString(text) {
		return formFault(name, "invalid_utf8", "This is not valid UTF-8.")
	}
	var value any = text
	if property.Value.Type.Is("boolean") {
		if value, err = strconv.ParseBool(text); err != nil || (text != "true" && text != "false") {
			return formFault(name, "type", "This must be true or false.")
		}
	}
	if err := property.Value.VisitJSON(value, openapi3.MultiErrors()); err != nil {
		return inField(name, translateValidation(err))
	}
	switch name {
	case "title":
		fields.Title = &text
	case "description":
		fields.Description = &text
	case "filename":
		fields.Filename = &text
	case "visibility":
		fields.Visibility = new(server.Visibility(text))
	case "keep_metadata":
		fields.KeepMetadata = new(value == true)
	case "allow_duplicate":
		fields.AllowDuplicate = value == true
	}
	return nil
}

func formFault(name, code, detail string) error {
	return invalid([]server.FieldError{newFault(server.Body, "", []string{name}, code, detail)})
}

// inField says of faults found in one value which field it was.
func inField(name string, err error) error {
	var p *problem
	if errors.As(err, &p) {
		pointer := jsonPointer([]string{name})
		for i := range p.errors {
			p.errors[i].Pointer = &pointer
		}
	}
	return err
}

// formError tells a form that is no form from a body that could not be read: the form's reader says the same of both.
func formError(ctx context.Context, err error) error {
	if b := infoOf(ctx).body; b != nil && b.err != nil {
		return b.err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return bodyFault("malformed_form", "The form ends before its last boundary (RFC 7578).")
	}
	return bodyFault("malformed_form", "The form is not well formed (RFC 7578).")
}
