package httpapi

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/oapi-codegen/nullable"

	"github.com/kadr-app/kadr/gen/server"
	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/image"
	"github.com/kadr-app/kadr/internal/token"
)

// cursor is where a page of a list ended. It is opaque to clients, and not secret: everything in it was in the page.
type cursor struct {
	List string    `json:"l"` // which list and order it belongs to
	Time time.Time `json:"t,omitzero"`
	Name string    `json:"n,omitempty"`
	Size int64     `json:"s,omitempty"`
	ID   string    `json:"i"`
}

var errCursor = apperr.New(apperr.Invalid, "invalid_cursor",
	"This cursor does not belong to this list and order. Take next_cursor as it is, with the other parameters unchanged.").At("?cursor")

func (c cursor) encode() nullable.Nullable[server.NextCursor] {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // a time out of JSON's range, which the database cannot hold either
	}
	return nullable.NewNullableWithValue(base64.RawURLEncoding.EncodeToString(b))
}

// decodeCursor reads a cursor of the given list; nil when none was sent.
func decodeCursor(s *string, list string) (*cursor, error) {
	if s == nil {
		return nil, nil //nolint:nilnil // no cursor is no error
	}
	b, err := base64.RawURLEncoding.DecodeString(*s)
	if err != nil {
		return nil, errCursor.Wrap(err)
	}
	var c cursor
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, errCursor.Wrap(err)
	}
	if y := c.Time.Year(); c.List != list || !token.IsID(c.ID) || y < 1 || y > 9999 || strings.ContainsRune(c.Name, 0) {
		return nil, errCursor
	}
	return &c, nil
}

func imagePosition(c *cursor) *image.Position {
	if c == nil {
		return nil
	}
	return &image.Position{Created: c.Time, Filename: c.Name, Size: c.Size, ID: c.ID}
}

func accountPosition(c *cursor) account.Position {
	if c == nil {
		return account.Position{}
	}
	return account.Position{At: c.Time, ID: c.ID}
}

// accountCursor is the cursor after a page of sessions or keys.
func accountCursor(list string, next account.Position) nullable.Nullable[server.NextCursor] {
	if next.IsZero() {
		return nullable.NewNullNullable[server.NextCursor]()
	}
	return cursor{List: list, Time: next.At, ID: next.ID}.encode()
}

const defaultLimit = 25

func limitOf(limit *server.Limit) int {
	if limit == nil {
		return defaultLimit
	}
	return int(*limit)
}

// toAPIPage cuts the one image more that was asked for, and makes the cursor for the page after. keep says which values
// of an image the list is sorted by.
func (s *Server) toAPIPage(images []image.Image, limit int, list string, keep func(*cursor, image.Image)) server.ImagePageJSONResponse {
	next := nullable.NewNullNullable[server.NextCursor]()
	if len(images) > limit {
		images = images[:limit]
		last := images[limit-1]
		c := cursor{List: list, ID: last.ID}
		keep(&c, last)
		next = c.encode()
	}
	items := make([]server.Image, len(images))
	for i, img := range images {
		items[i] = s.toAPIListed(img)
	}
	return server.ImagePageJSONResponse{Items: items, NextCursor: next}
}

func byTime(c *cursor, img image.Image) { c.Time = img.CreatedAt }
