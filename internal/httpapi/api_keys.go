package httpapi

import (
	"context"

	"github.com/kadr-app/kadr/gen/server"
	"github.com/kadr-app/kadr/internal/account"
)

// CreateAPIKey makes a key and shows it this once.
func (s *Server) CreateAPIKey(ctx context.Context, req server.CreateAPIKeyRequestObject) (server.CreateAPIKeyResponseObject, error) {
	return s.once(ctx, principalOf(ctx).AccountID+"/createAPIKey", req.Params.IdempotencyKey, req.Body, func(ctx context.Context) (visitor, error) {
		in := account.KeyRequest{Name: req.Body.Name}
		for _, scope := range req.Body.Scopes {
			in.Scopes = append(in.Scopes, account.Scope(scope))
		}
		if at, err := req.Body.ExpiresAt.Get(); err == nil {
			in.ExpiresAt = &at
		}
		made, key, err := s.accounts.CreateAPIKey(ctx, principalOf(ctx), in)
		if err != nil {
			return nil, err
		}
		k := toAPIKey(made)
		return server.CreateAPIKey201JSONResponse{
			Body: server.APIKeyWithSecret{
				ID: k.ID, Name: k.Name, Key: key, Prefix: k.Prefix, Scopes: k.Scopes, CreatedAt: k.CreatedAt,
				LastUsedAt: k.LastUsedAt, ExpiresAt: k.ExpiresAt,
			},
			Headers: server.CreateAPIKey201ResponseHeaders{Location: new("/api/v1/api-keys/" + k.ID)},
		}.VisitCreateAPIKeyResponse, nil
	})
}

// ListAPIKeys lists the account's keys.
func (s *Server) ListAPIKeys(ctx context.Context, req server.ListAPIKeysRequestObject) (server.ListAPIKeysResponseObject, error) {
	const list = "api_keys"
	after, err := decodeCursor(req.Params.Cursor, list)
	if err != nil {
		return nil, err
	}
	page, err := s.accounts.ListAPIKeys(ctx, principalOf(ctx), accountPosition(after), limitOf(req.Params.Limit))
	if err != nil {
		return nil, err
	}
	items := make([]server.APIKey, len(page.Items))
	for i, key := range page.Items {
		items[i] = toAPIKey(key)
	}
	return server.ListAPIKeys200JSONResponse{Items: items, NextCursor: accountCursor(list, page.Next)}, nil
}

// DeleteAPIKey revokes a key.
func (s *Server) DeleteAPIKey(ctx context.Context, req server.DeleteAPIKeyRequestObject) (server.DeleteAPIKeyResponseObject, error) {
	if err := s.accounts.DeleteAPIKey(ctx, principalOf(ctx), req.ID); err != nil {
		return nil, err
	}
	return server.DeleteAPIKey204Response{}, nil
}

// DeleteCurrentAPIKey revokes the key that the request carries. A session has none, and an empty id is nobody's.
func (s *Server) DeleteCurrentAPIKey(ctx context.Context, _ server.DeleteCurrentAPIKeyRequestObject) (server.DeleteCurrentAPIKeyResponseObject, error) {
	p := principalOf(ctx)
	if err := s.accounts.DeleteAPIKey(ctx, p, p.KeyID); err != nil {
		return nil, err
	}
	return server.DeleteCurrentAPIKey204Response{}, nil
}

func toAPIKey(k account.APIKey) server.APIKey {
	scopes := make([]server.Scope, len(k.Scopes))
	for i, scope := range k.Scopes {
		scopes[i] = server.Scope(scope)
	}
	return server.APIKey{
		ID: k.ID, Name: k.Name, Prefix: k.Prefix, Scopes: scopes, CreatedAt: k.CreatedAt.UTC(),
		LastUsedAt: orNull(k.LastUsedAt), ExpiresAt: orNull(k.ExpiresAt),
	}
}
