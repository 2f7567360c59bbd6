package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kadr-app/kadr/gen/server"
	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/image"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/variant"
)

// GetFile sends a picture: the original to the byte, or a variant of it.
func (s *Server) GetFile(ctx context.Context, _ server.GetFileRequestObject) (server.GetFileResponseObject, error) {
	s.hot.misses.Add(1)
	request := infoOf(ctx).request
	l, err := s.readLink(ctx, request)
	if err != nil {
		return nil, err
	}
	since := s.hot.watch(l.ID)
	file, err := s.images.Open(ctx, viewerOf(ctx), l.Ask)
	if err != nil {
		return nil, err
	}
	d := s.newDelivery(file, l)
	if l.sameForAll(file.Image) {
		s.hot.keep(request, d, since)
	}
	return fileResponse{server: s, delivery: d, file: file, request: request}, nil
}

// link is what a link says.
type link struct {
	image.Ask
	version  string
	download bool
}

// readLink reads a request that fits the contract. What the link may ask for is decided before anything is looked up, so
// that the answer tells nothing of pictures.
func (s *Server) readLink(ctx context.Context, req *http.Request) (link, error) {
	query := req.URL.Query()
	id, extension, named := strings.Cut(strings.TrimPrefix(req.URL.Path, "/i/"), ".")
	l := link{Ask: image.Ask{ID: id}, version: query.Get("v"), download: query.Get("download") == "true"}
	if named {
		l.Format, _ = imaging.ParseFormat(extension) // the contract's pattern
	} else {
		l.Accepts = readAccept(req.Header)
	}
	params, err := variant.ParseParams(query)
	if err != nil {
		return link{}, err
	}
	if err := s.permitShape(ctx, req.URL.Path, query, params, &l); err != nil {
		return link{}, err
	}
	if err := checkQuality(l.Format, params); err != nil {
		return link{}, err
	}
	l.Params, err = s.presets.Expand(params)
	return l, err
}

// checkQuality refuses a quality for formats that know none, where both were given by whoever asks.
func checkQuality(format imaging.Format, params variant.Params) error {
	if params.Quality > 0 && (format == imaging.PNG || format == imaging.GIF) {
		return apperr.New(apperr.Invalid, "contradictory", "PNG and GIF know no quality.").At("?q")
	}
	return nil
}

// permitShape checks the signature, or that none is needed.
func (s *Server) permitShape(ctx context.Context, path string, query url.Values, params variant.Params, l *link) error {
	switch {
	case query.Has("sig"):
		expires, err := s.keys.Verify(ctx, path, query)
		l.Granted = !expires.IsZero()
		return err
	case query.Has("expires"):
		return variant.ErrSignature
	case params.Free():
		return nil
	}
	if err := params.Check(); err != nil { // what no signature could mend
		return err
	}
	return variant.ErrUnsigned
}

// sameForAll tells whether everybody who follows the link gets the same answer, for a while.
func (l link) sameForAll(img image.Image) bool { return img.Visibility != image.Private && !l.Granted }

// readAccept reads an Accept header (RFC 9110 §12.5.1) as far as pictures are concerned. Weights do not matter, but for 0:
// the smallest picture wins.
func readAccept(header http.Header) image.Accept {
	var a image.Accept
	others := false
	for _, line := range header["Accept"] {
		for entry := range strings.SplitSeq(line, ",") {
			mediaType, parameters, _ := strings.Cut(entry, ";")
			if weight := strings.ReplaceAll(parameters, " ", ""); strings.Trim(weight, ".0") == "q=" {
				continue
			}
			switch mediaType = strings.ToLower(strings.TrimSpace(mediaType)); {
			case mediaType == "image/avif":
				a.AVIF = true
			case mediaType == "image/webp":
				a.WebP = true
			case mediaType != "" && mediaType != "*/*":
				others = true
			}
		}
	}
	a.Anything = !others && !a.AVIF && !a.WebP
	return a
}

// linkTo writes a link to a picture. The query may be nil.
func (s *Server) linkTo(id string, format imaging.Format, query url.Values) string {
	l := s.cfg.BaseURL + linkPath(id, format)
	if len(query) > 0 {
		l += "?" + query.Encode()
	}
	return l
}

func linkPath(id string, format imaging.Format) string { return "/i/" + id + "." + format.Extension() }

// signedLink writes a link to a picture in a shape, with a signature where that is needed. The link opens a private
// picture until expires, where that is not zero.
func (s *Server) signedLink(ctx context.Context, img image.Image, w wish, expires time.Time) (string, image.Rendition, error) {
	expanded, err := s.presets.Expand(w.params)
	if err != nil {
		return "", image.Rendition{}, err
	}
	r, err := s.images.Rendition(img, w.formatFor(img), expanded)
	if err != nil {
		return "", r, err
	}
	query := w.params.Query()
	if !expires.IsZero() || !w.params.Free() {
		if err := s.keys.Sign(ctx, linkPath(img.ID, r.Format), query, expires); err != nil {
			return "", r, err
		}
	}
	if expires.IsZero() {
		query.Set("v", img.Source().Version())
	}
	if w.download {
		query.Set("download", "true")
	}
	return s.linkTo(img.ID, r.Format, query), r, nil
}

// wish is a shape that a link is wanted for.
type wish struct {
	format   imaging.Format // empty: the original's, or what can be made of it
	params   variant.Params
	download bool
}

func (w wish) formatFor(img image.Image) imaging.Format {
	switch {
	case w.format != "":
		return w.format
	case w.params == variant.Params{} || img.Format.CanMake():
		return img.Format
	}
	return img.WebFormat()
}
