package httpapi

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/kadr-app/kadr/gen/server"
	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/image"
	"github.com/kadr-app/kadr/internal/upload"
)

// CreateUpload begins an upload in parts.
func (s *Server) CreateUpload(ctx context.Context, req server.CreateUploadRequestObject) (server.CreateUploadResponseObject, error) {
	p := principalOf(ctx)
	if req.Body.Size > s.cfg.MaxUploadBytes {
		return nil, s.tooLarge()
	}
	return s.once(ctx, p.AccountID+"/createUpload", req.Params.IdempotencyKey, req.Body, func(ctx context.Context) (visitor, error) {
		left, err := s.quotaLeft(ctx, p)
		if err != nil {
			return nil, err
		}
		if req.Body.Size > left {
			return nil, image.ErrQuota
		}
		filename := ""
		if req.Body.Filename != nil {
			filename = *req.Body.Filename
		}
		up, more, err := s.uploads.Create(p.AccountID, filename, req.Body.Size, left)
		if err == nil || errors.Is(err, upload.ErrTooMany) {
			noteLimits(ctx, unfinishedUploads(more))
		}
		if err != nil {
			return nil, err
		}
		body, tag, err := toAPIUpload(up)
		if err != nil {
			return nil, err
		}
		return server.CreateUpload201JSONResponse{Body: body, Headers: server.CreateUpload201ResponseHeaders{
			Location: new("/api/v1/uploads/" + up.ID), ETag: &tag,
		}}.VisitCreateUploadResponse, nil
	})
}

// quotaLeft is how many bytes the account may still hold.
func (s *Server) quotaLeft(ctx context.Context, p account.Principal) (int64, error) {
	u, err := s.accounts.Usage(ctx, p)
	if err != nil || u.QuotaBytes == nil {
		return math.MaxInt64, err
	}
	return *u.QuotaBytes - u.Bytes, nil
}

// GetUpload shows how far an upload is.
func (s *Server) GetUpload(ctx context.Context, req server.GetUploadRequestObject) (server.GetUploadResponseObject, error) {
	up, err := s.uploads.Get(principalOf(ctx).AccountID, req.ID)
	if err != nil {
		return nil, err
	}
	progress, err := toAPIProgress(up)
	if err != nil {
		return nil, err
	}
	if tag := progress.Headers.ETag; notModified(req.Params.IfNoneMatch, *tag) {
		return server.GetUpload304Response{Headers: server.NotModifiedResponseHeaders{ETag: tag}}, nil
	}
	return server.GetUpload200JSONResponse{UploadProgressJSONResponse: progress}, nil
}

// AppendUpload takes the next part.
func (s *Server) AppendUpload(ctx context.Context, req server.AppendUploadRequestObject) (server.AppendUploadResponseObject, error) {
	digest, err := newDigestCheck(req.Params.ContentDigest, infoOf(ctx).body)
	if err != nil {
		return nil, err
	}
	up, err := s.uploads.Append(ctx, principalOf(ctx).AccountID, req.ID, upload.Part{
		Offset: req.Params.UploadOffset, Length: infoOf(ctx).request.ContentLength, Body: rawBody(ctx), Verify: digest.verify,
	})
	if p := problemOf(err); errors.Is(err, upload.ErrOffset) && p.status == http.StatusConflict {
		p.header = http.Header{"Upload-Offset": {strconv.FormatInt(up.Offset, 10)}}
		return nil, p
	}
	if err != nil {
		return nil, err
	}
	progress, err := toAPIProgress(up)
	return server.AppendUpload200JSONResponse{UploadProgressJSONResponse: progress}, err
}

// DeleteUpload gives an upload up.
func (s *Server) DeleteUpload(ctx context.Context, req server.DeleteUploadRequestObject) (server.DeleteUploadResponseObject, error) {
	if req.Params.IfMatch == nil {
		return server.DeleteUpload204Response{}, s.uploads.Remove(principalOf(ctx).AccountID, req.ID)
	}
	return server.DeleteUpload204Response{}, s.uploads.RemoveIf(principalOf(ctx).AccountID, req.ID, func(up upload.Upload) bool {
		_, tag, err := toAPIUpload(up)
		return err == nil && etagList(*req.Params.IfMatch, tag, true)
	})
}

var errCompleting = apperr.New(apperr.Conflict, "upload_completing",
	"Another request is completing this upload. Try again in a moment.").After(time.Second)

// CompleteUpload makes a picture of an upload. The upload's id stands in for an Idempotency-Key: of any number of requests
// one does it, and the others get its reply, also after the file is gone.
func (s *Server) CompleteUpload(ctx context.Context, req server.CompleteUploadRequestObject) (_ server.CompleteUploadResponseObject, err error) {
	p, outcome, size, begun := principalOf(ctx), uploadRepeated, int64(0), false
	defer func() { s.countUpload(outcome, size, err) }()
	visit, err := s.once(ctx, p.AccountID+"/completeUpload", &req.ID, nil, func(ctx context.Context) (visitor, error) {
		begun = true
		file, up, err := s.uploads.OpenWhole(p.AccountID, req.ID)
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }() // read-only: there is nothing that closing could lose
		size = up.Size
		received, err := s.images.Receive(ctx, file)
		if errors.Is(err, blob.ErrTooLarge) { // less is taken than when it was begun
			err = s.tooLarge()
		}
		if err != nil {
			return nil, err
		}
		defer received.Discard()
		img, created, err := s.images.Create(ctx, received, fromAPIUploadComplete(req.Body, up).upload(p))
		if err != nil {
			return nil, err
		}
		outcome = uploadExisting
		if created {
			outcome = uploadCreated
		}
		return s.uploaded(img, created, false), nil
	})
	if apperr.KindOf(err) == apperr.Conflict && !begun {
		return nil, errCompleting.Wrap(err)
	}
	if err == nil || neverAPicture(err) {
		// Only now that the reply is on record, or nobody could get it again. What cannot be removed expires.
		if rerr := s.uploads.Remove(p.AccountID, req.ID); rerr != nil && !errors.Is(rerr, upload.ErrNotFound) {
			s.log.WarnContext(ctx, "a completed upload is left to the sweep", "error", rerr)
		}
	}
	return visit, err
}

// neverAPicture reports whether trying again is of no use.
func neverAPicture(err error) bool {
	switch problemOf(err).status {
	case http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
		return true
	}
	return false
}

func fromAPIUploadComplete(in *server.UploadComplete, up upload.Upload) uploadFields {
	f := uploadFields{
		Filename: in.Filename, Title: in.Title, Description: in.Description, Visibility: in.Visibility,
		KeepMetadata: in.KeepMetadata, AllowDuplicate: in.AllowDuplicate != nil && *in.AllowDuplicate,
	}
	if f.Filename == nil {
		f.Filename = &up.Filename
	}
	return f
}

func toAPIUpload(up upload.Upload) (body server.Upload, tag string, err error) {
	body = server.Upload{ID: up.ID, Offset: up.Offset, Size: up.Size, ExpiresAt: up.ExpiresAt.UTC().Truncate(time.Second)}
	tag, err = tagOf(body)
	return body, tag, err
}

func toAPIProgress(up upload.Upload) (server.UploadProgressJSONResponse, error) {
	body, tag, err := toAPIUpload(up)
	return server.UploadProgressJSONResponse{
		Body: body, Headers: server.UploadProgressResponseHeaders{ETag: &tag, UploadOffset: &up.Offset},
	}, err
}
