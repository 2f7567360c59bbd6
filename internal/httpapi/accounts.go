package httpapi

import (
	"context"

	"github.com/oapi-codegen/nullable"

	"github.com/kadr-app/kadr/gen/server"
	"github.com/kadr-app/kadr/internal/account"
)

// CreateAccount registers an account.
func (s *Server) CreateAccount(ctx context.Context, req server.CreateAccountRequestObject) (server.CreateAccountResponseObject, error) {
	address := infoOf(ctx).address
	count := func() ([]account.LimitState, func(context.Context), error) {
		return s.accounts.CountRegistration(ctx, req.Body.Name, address)
	}
	return s.onceByPassword(ctx, "anonymous/createAccount", req.Params.IdempotencyKey, req.Body, count, func(ctx context.Context) (visitor, error) {
		in := account.SignUp{Name: req.Body.Name, Password: req.Body.Password, Address: address}
		if email, err := req.Body.Email.Get(); err == nil {
			in.Email = email
		}
		if req.Body.InviteCode != nil {
			in.InviteCode = *req.Body.InviteCode
		}
		a, limits, err := s.accounts.Register(ctx, in)
		noteLimits(ctx, limits)
		if err != nil {
			return nil, err
		}
		return server.CreateAccount201JSONResponse{Body: toAPIAccount(a), Headers: server.CreateAccount201ResponseHeaders{
			Location: new("/api/v1/account"), ETag: new(etag(a.ID, a.Revision)),
		}}.VisitCreateAccountResponse, nil
	})
}

// GetAccount shows the account that is signed in.
func (s *Server) GetAccount(ctx context.Context, req server.GetAccountRequestObject) (server.GetAccountResponseObject, error) {
	a, err := s.accounts.Get(ctx, principalOf(ctx))
	if err != nil {
		return nil, err
	}
	tag := etag(a.ID, a.Revision)
	if notModified(req.Params.IfNoneMatch, tag) {
		return server.GetAccount304Response{Headers: server.NotModifiedResponseHeaders{ETag: &tag}}, nil
	}
	return server.GetAccount200JSONResponse{Body: toAPIAccount(a), Headers: server.GetAccount200ResponseHeaders{ETag: &tag}}, nil
}

// UpdateAccount changes the account that is signed in.
func (s *Server) UpdateAccount(ctx context.Context, req server.UpdateAccountRequestObject) (server.UpdateAccountResponseObject, error) {
	p := principalOf(ctx)
	a, limits, err := s.accounts.Update(ctx, p, fromAPIAccountPatch(req.Body), ifRevision(req.Params.IfMatch, p.AccountID))
	noteLimits(ctx, limits)
	if err != nil {
		return nil, err
	}
	return server.UpdateAccount200JSONResponse{Body: toAPIAccount(a), Headers: server.UpdateAccount200ResponseHeaders{
		ETag: new(etag(a.ID, a.Revision)),
	}}, nil
}

// DeleteAccount deletes the account that is signed in, with everything it has.
func (s *Server) DeleteAccount(ctx context.Context, req server.DeleteAccountRequestObject) (server.DeleteAccountResponseObject, error) {
	p := principalOf(ctx)
	if _, err := s.accounts.Delete(ctx, p, req.Params.Confirm, ifRevision(req.Params.IfMatch, p.AccountID)); err != nil {
		return nil, err
	}
	s.images.Reclaim()
	if err := s.uploads.RemoveAll(p.AccountID); err != nil { // nobody gets at them any more, and they expire
		s.log.WarnContext(ctx, "uploads of a deleted account are left to the sweep", "error", err)
	}
	return server.DeleteAccount204Response{}, nil
}

// GetAccountUsage shows what the account holds.
func (s *Server) GetAccountUsage(ctx context.Context, req server.GetAccountUsageRequestObject) (server.GetAccountUsageResponseObject, error) {
	u, err := s.accounts.Usage(ctx, principalOf(ctx))
	if err != nil {
		return nil, err
	}
	body := server.Usage{Bytes: u.Bytes, Images: u.Images, QuotaBytes: orNull(u.QuotaBytes)}
	tag, err := tagOf(body)
	if err != nil {
		return nil, err
	}
	if notModified(req.Params.IfNoneMatch, tag) {
		return server.GetAccountUsage304Response{Headers: server.NotModifiedResponseHeaders{ETag: &tag}}, nil
	}
	return server.GetAccountUsage200JSONResponse{Body: body, Headers: server.GetAccountUsage200ResponseHeaders{ETag: &tag}}, nil
}

func toAPIAccount(a account.Account) server.Account {
	email := nullable.NewNullNullable[string]()
	if a.Email != "" {
		email.Set(a.Email)
	}
	return server.Account{
		ID: a.ID, Name: a.Name, Email: email, Role: server.AccountRole(a.Role), KeepMetadata: a.KeepMetadata,
		DefaultVisibility: server.Visibility(a.DefaultVisibility), CreatedAt: a.CreatedAt.UTC(), UpdatedAt: a.UpdatedAt.UTC(),
	}
}

func fromAPIAccountPatch(in *server.AccountPatch) account.Patch {
	p := account.Patch{Name: in.Name, Password: in.Password, KeepMetadata: in.KeepMetadata}
	if in.CurrentPassword != nil {
		p.CurrentPassword = *in.CurrentPassword
	}
	if in.DefaultVisibility != nil {
		p.DefaultVisibility = new(account.Visibility(*in.DefaultVisibility))
	}
	switch {
	case in.Email.IsNull():
		p.Email = new("")
	case in.Email.IsSpecified():
		p.Email = new(in.Email.MustGet())
	}
	return p
}

func orNull[T any](v *T) nullable.Nullable[T] {
	if v == nil {
		return nullable.NewNullNullable[T]()
	}
	return nullable.NewNullableWithValue(*v)
}
