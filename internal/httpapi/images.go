package httpapi

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"

	"github.com/kadr-app/kadr/gen/server"
	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/image"
	"github.com/kadr-app/kadr/internal/imaging"
)

// ListImages lists one's own pictures.
func (s *Server) ListImages(ctx context.Context, req server.ListImagesRequestObject) (server.ListImagesResponseObject, error) {
	q := image.Query{AccountID: principalOf(ctx).AccountID, Sort: image.ByCreated, Descending: true}
	if req.Params.Sort != nil {
		q.Sort = image.Sort(*req.Params.Sort)
	}
	if req.Params.Order != nil {
		q.Descending = *req.Params.Order == server.Desc
	}
	if req.Params.Visibility != nil {
		q.Visibility = image.Visibility(*req.Params.Visibility)
	}
	if req.Params.MediaType != nil {
		q.Format, _ = imaging.ParseMediaType(string(*req.Params.MediaType)) // the contract's enum
	}
	if req.Params.Q != nil {
		q.Text = *req.Params.Q
	}
	list := fmt.Sprintf("images/%s/%t", q.Sort, q.Descending)
	after, err := decodeCursor(req.Params.Cursor, list)
	if err != nil {
		return nil, err
	}
	limit := limitOf(req.Params.Limit)
	q.After, q.Limit = imagePosition(after), limit+1
	images, err := s.images.List(ctx, q)
	if err != nil {
		return nil, err
	}
	return server.ListImages200JSONResponse{ImagePageJSONResponse: s.toAPIPage(images, limit, list, func(c *cursor, img image.Image) {
		switch q.Sort {
		case image.ByName:
			c.Name = img.Filename
		case image.BySize:
			c.Size = img.Size
		case image.ByCreated:
			c.Time = img.CreatedAt
		}
	})}, nil
}

// GetImage shows one picture's data.
func (s *Server) GetImage(ctx context.Context, req server.GetImageRequestObject) (server.GetImageResponseObject, error) {
	img, err := s.images.Get(ctx, viewerOf(ctx), req.ID)
	if err != nil {
		return nil, err
	}
	tag := etag(img.ID, img.Revision)
	if notModified(req.Params.IfNoneMatch, tag) {
		return server.GetImage304Response{Headers: server.NotModifiedResponseHeaders{ETag: &tag}}, nil
	}
	return server.GetImage200JSONResponse{Body: s.toAPIImage(img), Headers: server.GetImage200ResponseHeaders{ETag: &tag}}, nil
}

// UpdateImage changes one picture's data.
func (s *Server) UpdateImage(ctx context.Context, req server.UpdateImageRequestObject) (server.UpdateImageResponseObject, error) {
	patch := fromAPIImagePatch(req.Body)
	patch.IfRevision = ifRevision(req.Params.IfMatch, req.ID)
	img, err := s.images.Update(ctx, principalOf(ctx).AccountID, req.ID, patch)
	if err != nil {
		return nil, err
	}
	tag := etag(img.ID, img.Revision)
	return server.UpdateImage200JSONResponse{Body: s.toAPIImage(img), Headers: server.UpdateImage200ResponseHeaders{ETag: &tag}}, nil
}

// DeleteImage deletes one picture.
func (s *Server) DeleteImage(ctx context.Context, req server.DeleteImageRequestObject) (server.DeleteImageResponseObject, error) {
	err := s.images.Delete(ctx, principalOf(ctx).AccountID, req.ID, ifRevision(req.Params.IfMatch, req.ID))
	if err != nil {
		return nil, err
	}
	return server.DeleteImage204Response{}, nil
}

var (
	errVisibilityNeeded   = apperr.New(apperr.Invalid, "required", "To set the visibility, say which.").At("/visibility")
	errVisibilityUnneeded = apperr.New(apperr.Invalid, "unexpected", "Deleting takes no visibility.").At("/visibility")
)

// BulkUpdateImages does one thing to many pictures.
func (s *Server) BulkUpdateImages(ctx context.Context, req server.BulkUpdateImagesRequestObject) (server.BulkUpdateImagesResponseObject, error) {
	p := principalOf(ctx)
	isDelete := req.Body.Action == server.Delete
	scope := account.ScopeImagesWrite
	switch {
	case isDelete && req.Body.Visibility != nil:
		return nil, errVisibilityUnneeded
	case !isDelete && req.Body.Visibility == nil:
		return nil, errVisibilityNeeded
	case isDelete:
		scope = account.ScopeImagesDelete
	}
	if !p.HasScope(scope) {
		return nil, missingScope(string(scope))
	}
	return s.once(ctx, p.AccountID+"/bulkUpdateImages", req.Params.IdempotencyKey, req.Body, func(ctx context.Context) (visitor, error) {
		var done []string
		var err error
		outcome := server.Updated
		if isDelete {
			outcome = server.Deleted
			done, err = s.images.DeleteMany(ctx, p.AccountID, req.Body.Ids)
		} else {
			done, err = s.images.SetVisibility(ctx, p.AccountID, req.Body.Ids, image.Visibility(*req.Body.Visibility))
		}
		if err != nil {
			return nil, err
		}
		items := make([]server.BulkOutcome, len(req.Body.Ids))
		for i, id := range req.Body.Ids {
			items[i] = server.BulkOutcome{ID: id, Outcome: server.NotFound}
			if slices.Contains(done, id) {
				items[i].Outcome = outcome
			}
		}
		return server.BulkUpdateImages200JSONResponse{Items: items}.VisitBulkUpdateImagesResponse, nil
	})
}

// toAPIImage writes one picture as the API shows it, flat and with absolute links, with its smaller copies.
func (s *Server) toAPIImage(img image.Image) server.Image {
	renditions := s.images.Renditions(img)
	variants := make([]server.ImageVariant, len(renditions))
	for i, r := range renditions {
		variants[i] = toAPIVariant(r, s.sizedLink(img, r.Format, r.Width))
	}
	out := s.toAPIListed(img)
	out.Variants = &variants
	return out
}

// sizedLink is a link to the picture in a width of the ladder, or in its own where that is no wider.
func (s *Server) sizedLink(img image.Image, format imaging.Format, width int) string {
	link := s.linkTo(img.ID, format, nil) + "?v=" + img.Source().Version()
	if width < img.Width {
		link += "&w=" + strconv.Itoa(width)
	}
	return link
}

// toAPIListed writes a picture of a list.
func (s *Server) toAPIListed(img image.Image) server.Image {
	return server.Image{
		ID:           img.ID,
		URL:          s.linkTo(img.ID, img.Format, nil),
		PageURL:      s.pictureURL(img.ID),
		ThumbnailURL: s.sizedLink(img, img.ThumbnailFormat(), image.ThumbnailWidth),
		Width:        int32(img.Width),
		Height:       int32(img.Height),
		Size:         img.Size,
		MediaType:    server.MediaType(img.Format.MediaType()),
		Filename:     img.Filename,
		Title:        img.Title,
		Description:  img.Description,
		Visibility:   server.Visibility(img.Visibility),
		Placeholder:  base64.RawStdEncoding.EncodeToString(img.Placeholder),
		AccountName:  img.AccountName,
		CreatedAt:    img.CreatedAt,
		UpdatedAt:    img.UpdatedAt,
	}
}

func fromAPIImagePatch(in *server.ImagePatch) image.Patch {
	p := image.Patch{Title: in.Title, Description: in.Description, Filename: in.Filename}
	if in.Visibility != nil {
		p.Visibility = new(image.Visibility(*in.Visibility))
	}
	return p
}
