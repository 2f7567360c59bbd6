package httpapi

import (
	"context"

	"github.com/kadr-app/kadr/gen/server"
	"github.com/kadr-app/kadr/internal/account"
)

// CreateSession signs in.
func (s *Server) CreateSession(ctx context.Context, req server.CreateSessionRequestObject) (server.CreateSessionResponseObject, error) {
	info := infoOf(ctx)
	count := func() ([]account.LimitState, func(context.Context), error) {
		return s.accounts.CountSignIn(ctx, req.Body.Name, info.address)
	}
	return s.onceByPassword(ctx, "anonymous/createSession", req.Params.IdempotencyKey, req.Body, count, func(ctx context.Context) (visitor, error) {
		in, limits, err := s.accounts.SignIn(ctx, account.SignIn{
			Name: req.Body.Name, Password: req.Body.Password, Address: info.address, UserAgent: info.userAgent,
		})
		noteLimits(ctx, limits)
		if err != nil {
			return nil, err
		}
		return server.CreateSession201JSONResponse{
			Body: toAPISession(in.Session, in.Session.ID),
			Headers: server.CreateSession201ResponseHeaders{
				Location: new("/api/v1/sessions/" + in.Session.ID), SetCookie: new(s.cookie(in.Token, s.cfg.SessionLifetime)),
			},
		}.VisitCreateSessionResponse, nil
	})
}

// ListSessions lists the account's sessions.
func (s *Server) ListSessions(ctx context.Context, req server.ListSessionsRequestObject) (server.ListSessionsResponseObject, error) {
	const list = "sessions"
	after, err := decodeCursor(req.Params.Cursor, list)
	if err != nil {
		return nil, err
	}
	p := principalOf(ctx)
	page, err := s.accounts.ListSessions(ctx, p, accountPosition(after), limitOf(req.Params.Limit))
	if err != nil {
		return nil, err
	}
	items := make([]server.Session, len(page.Items))
	for i, session := range page.Items {
		items[i] = toAPISession(session, p.SessionID)
	}
	return server.ListSessions200JSONResponse{Items: items, NextCursor: accountCursor(list, page.Next)}, nil
}

// DeleteSession ends one session of the account.
func (s *Server) DeleteSession(ctx context.Context, req server.DeleteSessionRequestObject) (server.DeleteSessionResponseObject, error) {
	p := principalOf(ctx)
	if err := s.accounts.EndSession(ctx, p, req.ID); err != nil {
		return nil, err
	}
	var headers server.DeleteSession204ResponseHeaders
	if req.ID == p.SessionID {
		headers.SetCookie = new(s.cookie("", 0))
	}
	return server.DeleteSession204Response{Headers: headers}, nil
}

// DeleteCurrentSession signs out.
func (s *Server) DeleteCurrentSession(ctx context.Context, _ server.DeleteCurrentSessionRequestObject) (server.DeleteCurrentSessionResponseObject, error) {
	if err := s.accounts.EndCurrent(ctx, principalOf(ctx)); err != nil {
		return nil, err
	}
	return server.DeleteCurrentSession204Response{
		Headers: server.DeleteCurrentSession204ResponseHeaders{SetCookie: new(s.cookie("", 0))},
	}, nil
}

// DeleteSessions signs out everywhere.
func (s *Server) DeleteSessions(ctx context.Context, _ server.DeleteSessionsRequestObject) (server.DeleteSessionsResponseObject, error) {
	if err := s.accounts.EndAll(ctx, principalOf(ctx)); err != nil {
		return nil, err
	}
	return server.DeleteSessions204Response{
		Headers: server.DeleteSessions204ResponseHeaders{SetCookie: new(s.cookie("", 0))},
	}, nil
}

func toAPISession(session account.Session, current string) server.Session {
	return server.Session{
		ID: session.ID, Current: session.ID == current, UserAgent: session.UserAgent, Address: session.Address,
		CreatedAt: session.CreatedAt.UTC(), LastUsedAt: session.LastUsedAt.UTC(), ExpiresAt: session.ExpiresAt.UTC(),
	}
}
