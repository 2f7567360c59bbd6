package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/kadr-app/kadr/gen/server"
	"github.com/kadr-app/kadr/internal/image"
)

// ListFeed lists everybody's public pictures.
func (s *Server) ListFeed(ctx context.Context, req server.ListFeedRequestObject) (server.ListFeedResponseObject, error) {
	return s.feedPage(ctx, "", req.Params.Limit, req.Params.Cursor)
}

// ListAccountImages lists one account's public pictures.
func (s *Server) ListAccountImages(ctx context.Context, req server.ListAccountImagesRequestObject) (server.ListAccountImagesResponseObject, error) {
	return s.feedPage(ctx, req.Name, req.Params.Limit, req.Params.Cursor)
}

// feedTimeout bounds the work on a page, which does not end with the request that began it.
const feedTimeout = 30 * time.Second

// feedPage answers with a page of public pictures. Everybody gets the same, so those who ask at the same time share the
// query and the encoding: the feed's first page is what most visitors ask for.
func (s *Server) feedPage(ctx context.Context, accountName string, limit *server.Limit, after *server.Cursor) (encodedPage, error) {
	list := "feed/" + accountName
	position, err := decodeCursor(after, list)
	if err != nil {
		return nil, err
	}
	n := limitOf(limit)
	key := list + "?" + strconv.Itoa(n)
	if after != nil {
		key += "&" + *after
	}
	return s.feeds.do(ctx, key, func(ctx context.Context) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, feedTimeout)
		defer cancel()
		images, err := s.images.Feed(ctx, image.FeedQuery{AccountName: accountName, After: imagePosition(position), Limit: n + 1})
		if err != nil {
			return nil, err
		}
		b, err := json.Marshal(s.toAPIPage(images, n, list, byTime))
		if err != nil {
			return nil, fmt.Errorf("encode a page: %w", err)
		}
		return b, nil
	})
}

// encodedPage is an ImagePage that is JSON already.
type encodedPage []byte

// VisitListFeedResponse implements the generated interface.
func (p encodedPage) VisitListFeedResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(p)))
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(p)
	return err
}

// VisitListAccountImagesResponse implements the generated interface.
func (p encodedPage) VisitListAccountImagesResponse(w http.ResponseWriter) error {
	return p.VisitListFeedResponse(w)
}
