package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/kadr-app/kadr/gen/server"
	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/image"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/variant"
)

// CreateImageVariants hands out links to a picture's variants.
func (s *Server) CreateImageVariants(ctx context.Context, req server.CreateImageVariantsRequestObject) (server.CreateImageVariantsResponseObject, error) {
	img, err := s.images.Get(ctx, viewerOf(ctx), req.ID)
	if err != nil {
		return nil, err
	}
	items := make([]server.ImageVariant, len(req.Body.Variants))
	for i, shape := range req.Body.Variants {
		w, err := fromAPIVariantShape(shape)
		if err == nil {
			var r image.Rendition
			var l string
			l, r, err = s.signedLink(ctx, img, w, time.Time{})
			items[i] = toAPIVariant(r, l)
		}
		if err != nil {
			return nil, inBody(err, fmt.Sprintf("/variants/%d/", i))
		}
	}
	return server.CreateImageVariants200JSONResponse{Items: items}, nil
}

// CreateImageLink hands out a link that opens one of one's own pictures until it expires.
func (s *Server) CreateImageLink(ctx context.Context, req server.CreateImageLinkRequestObject) (server.CreateImageLinkResponseObject, error) {
	viewer := viewerOf(ctx)
	img, err := s.images.Get(ctx, viewer, req.ID)
	if err != nil {
		return nil, err
	}
	if img.AccountID != viewer {
		return nil, image.ErrNotFound
	}
	w := wish{}
	if req.Body.Variant != nil {
		if w, err = fromAPIVariantShape(*req.Body.Variant); err != nil {
			return nil, inBody(err, "/variant/")
		}
	}
	w.download = req.Body.Download != nil && *req.Body.Download
	expires := time.Now().Add(time.Duration(req.Body.ExpiresIn) * time.Second).Truncate(time.Second)
	l, _, err := s.signedLink(ctx, img, w, expires)
	if err != nil {
		return nil, inBody(err, "/variant/")
	}
	return server.CreateImageLink200JSONResponse{URL: l, ExpiresAt: expires.UTC()}, nil
}

// inBody says of an error about a link's parameter which member of a body it was.
func inBody(err error, prefix string) error {
	var e *apperr.Error
	if errors.As(err, &e) {
		if name, ok := strings.CutPrefix(e.Field, "?"); ok {
			return e.At(prefix + name)
		}
		if errors.Is(err, image.ErrFormat) {
			return apperr.New(apperr.Invalid, e.Code, e.Message).At(prefix + "format")
		}
	}
	return err
}

func toAPIVariant(r image.Rendition, link string) server.ImageVariant {
	return server.ImageVariant{
		Width: int32(r.Width), Height: int32(r.Height), MediaType: server.MediaType(r.Format.MediaType()), URL: link,
	}
}

// fromAPIVariantShape reads a shape. Its members are called as a link's parameters are, and mean the same.
func fromAPIVariantShape(in server.VariantShape) (wish, error) {
	query := url.Values{}
	text := func(name string, value *string) {
		if value != nil {
			query.Set(name, *value)
		}
	}
	number := func(name string, value *int32) {
		if value != nil {
			query.Set(name, strconv.Itoa(int(*value)))
		}
	}
	decimal := func(name string, value *float64) {
		if value != nil {
			query.Set(name, strconv.FormatFloat(*value, 'f', -1, 64))
		}
	}
	text("preset", in.Preset)
	number("w", in.W)
	number("h", in.H)
	decimal("dpr", in.Dpr)
	text("fit", (*string)(in.Fit))
	text("position", (*string)(in.Position))
	text("crop", in.Crop)
	number("rotate", in.Rotate)
	text("flip", (*string)(in.Flip))
	number("page", in.Page)
	number("q", in.Q)
	text("background", in.Background)
	decimal("blur", in.Blur)
	if in.Enlarge != nil {
		query.Set("enlarge", strconv.FormatBool(*in.Enlarge))
	}
	params, err := variant.ParseParams(query)
	w := wish{params: params}
	if in.Format != nil {
		w.format, _ = imaging.ParseFormat(string(*in.Format)) // the contract's enum
	}
	if err == nil {
		err = checkQuality(w.format, params)
	}
	return w, err
}
