package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"

	"github.com/kadr-app/kadr/gen/server"
	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/image"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/token"
)

// siteName is what other sites are told that this one is called.
const siteName = "Kadr"

// embedAge is how long an embed's description may be kept, in seconds: as long as a link's picture (cacheMinutes).
const embedAge = 300

var (
	errNoEmbed     = apperr.New(apperr.NotFound, "link_not_found", "This is no link to a picture of this instance.")
	errEmbedFormat = &problem{status: http.StatusNotImplemented, code: "format_not_implemented", detail: "Embeds are described as json or xml."}
)

// GetOEmbed describes the picture that a link leads to (https://oembed.com).
func (s *Server) GetOEmbed(ctx context.Context, req server.GetOEmbedRequestObject) (server.GetOEmbedResponseObject, error) {
	format := "json"
	if req.Params.Format != nil {
		format = *req.Params.Format
	}
	if format != "json" && format != "xml" {
		return nil, errEmbedFormat
	}
	id, ok := s.linkedPicture(req.Params.URL)
	if !ok {
		return nil, errNoEmbed
	}
	img, err := s.images.Get(ctx, "", id) // whoever asks, it is others who will see it
	if err != nil {
		return nil, err
	}
	embed, err := s.toAPIOEmbed(img, side(req.Params.Maxwidth), side(req.Params.Maxheight))
	if err != nil {
		return nil, err
	}
	cache := cacheMinutes
	headers := server.GetOEmbed200ResponseHeaders{CacheControl: &cache}
	if format == "json" {
		return server.GetOEmbed200JSONResponse{Body: embed, Headers: headers}, nil
	}
	b, err := xml.Marshal(struct {
		XMLName xml.Name `xml:"oembed"`
		server.OEmbed
	}{OEmbed: embed})
	if err != nil {
		return nil, fmt.Errorf("write an embed as XML: %w", err)
	}
	b = append([]byte(`<?xml version="1.0" encoding="utf-8" standalone="yes"?>`+"\n"), b...)
	return server.GetOEmbed200TextXMLResponse{Body: bytes.NewReader(b), ContentLength: int64(len(b)), Headers: headers}, nil
}

func side(limit *int32) int {
	if limit == nil {
		return math.MaxInt32
	}
	return int(*limit)
}

// linkedPicture finds the id of the picture whose page or file of this instance a link leads to. By http or https, since
// people paste what they have.
func (s *Server) linkedPicture(link string) (id string, ok bool) {
	u, err := url.Parse(strings.TrimSpace(link))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return "", false
	}
	_, host, _ := strings.Cut(s.cfg.BaseURL, "://")
	if !strings.EqualFold(u.Host, host) {
		return "", false
	}
	if page, isPage := strings.CutPrefix(u.Path, "/p/"); isPage {
		id = page
	} else if file, isFile := strings.CutPrefix(u.Path, "/i/"); isFile {
		id, _, _ = strings.Cut(file, ".")
	}
	return id, token.IsID(id)
}

func (s *Server) toAPIOEmbed(img image.Image, maxWidth, maxHeight int) (server.OEmbed, error) {
	photo, err := s.embedded(img, embedFormat(img), maxWidth, maxHeight)
	if err != nil {
		return server.OEmbed{}, err
	}
	thumbnail, err := s.embedded(img, img.StillFormat(), min(maxWidth, image.ThumbnailWidth), maxHeight)
	if err != nil {
		return server.OEmbed{}, err
	}
	return server.OEmbed{
		Type: server.Photo, Version: server.N10,
		URL: photo.url, Width: int32(photo.width), Height: int32(photo.height),
		Title: nameOf(img), AuthorName: img.AccountName, AuthorURL: s.personURL(img.AccountName),
		ProviderName: siteName, ProviderURL: s.cfg.BaseURL + "/",
		ThumbnailURL: thumbnail.url, ThumbnailWidth: int32(thumbnail.width), ThumbnailHeight: int32(thumbnail.height),
		CacheAge: embedAge,
	}, nil
}

// embedFormat is a format that everything shows, and in which what moves goes on moving.
func embedFormat(img image.Image) imaging.Format {
	if img.Frames > 1 && img.Format.Animates() {
		return img.Format
	}
	return img.WebFormat()
}

// embedded is a picture to be shown elsewhere.
type embedded struct {
	url           string
	format        imaging.Format
	width, height int // pixels to show it in
}

// embedded finds the largest free link to the picture that fits into a box. Where even the smallest is too large, it is
// shown smaller than it is: any size at all would need a signature, and so would let strangers order work without end.
func (s *Server) embedded(img image.Image, format imaging.Format, maxWidth, maxHeight int) (embedded, error) {
	r, err := s.images.Within(img, format, maxWidth, maxHeight)
	if err != nil {
		return embedded{}, err
	}
	e := embedded{url: s.sizedLink(img, r.Format, r.Width), format: r.Format, width: r.Width, height: r.Height}
	if scale := min(float64(maxWidth)/float64(r.Width), float64(maxHeight)/float64(r.Height)); scale < 1 {
		e.width, e.height = max(1, int(float64(r.Width)*scale)), max(1, int(float64(r.Height)*scale))
	}
	return e, nil
}

// nameOf is what a picture is called where it needs a name.
func nameOf(img image.Image) string { return cmp.Or(img.Title, img.Filename) }

func (s *Server) pictureURL(id string) string { return s.cfg.BaseURL + "/p/" + id }

func (s *Server) personURL(name string) string { return s.cfg.BaseURL + "/u/" + name }
