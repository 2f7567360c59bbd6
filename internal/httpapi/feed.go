package httpapi

import (
	"context"

	"github.com/kadr-app/kadr/gen/server"
	"github.com/kadr-app/kadr/internal/image"
)

// ListFeed lists everybody's public pictures.
func (s *Server) ListFeed(ctx context.Context, req server.ListFeedRequestObject) (server.ListFeedResponseObject, error) {
	page, err := s.feedPage(ctx, "", req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	return server.ListFeed200JSONResponse{ImagePageJSONResponse: page}, nil
}

// ListAccountImages lists one account's public pictures.
func (s *Server) ListAccountImages(ctx context.Context, req server.ListAccountImagesRequestObject) (server.ListAccountImagesResponseObject, error) {
	page, err := s.feedPage(ctx, req.Name, req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	return server.ListAccountImages200JSONResponse{ImagePageJSONResponse: page}, nil
}

func (s *Server) feedPage(ctx context.Context, accountName string, limit *server.Limit, cursor *server.Cursor) (server.ImagePageJSONResponse, error) {
	list := "feed/" + accountName
	after, err := decodeCursor(cursor, list)
	if err != nil {
		return server.ImagePageJSONResponse{}, err
	}
	n := limitOf(limit)
	images, err := s.images.Feed(ctx, image.FeedQuery{AccountName: accountName, After: imagePosition(after), Limit: n + 1})
	if err != nil {
		return server.ImagePageJSONResponse{}, err
	}
	return s.toAPIPage(images, n, list, byTime), nil
}
