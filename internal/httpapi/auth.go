package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/labstack/echo/v4"

	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/apperr"
)

// login is what the request's credentials came to. It is found out before validation; whether it is needed and enough is
// decided there.
type login struct {
	principal account.Principal
	known     bool
	err       error // why it could not be found out, or why a Bearer credential does not count
}

func loginOf(ctx context.Context) login {
	l, _ := ctx.Value(loginKey).(login)
	return l
}

// principalOf returns who is signed in, in operations that need a login.
func principalOf(ctx context.Context) account.Principal { return loginOf(ctx).principal }

// viewerOf returns the account that looks at something, empty for a stranger.
func viewerOf(ctx context.Context) string { return loginOf(ctx).principal.AccountID }

var (
	errNotSignedIn   = apperr.New(apperr.Unauthenticated, "unauthenticated", "Sign in, or send an API key.")
	errSessionNeeded = apperr.New(apperr.Forbidden, "session_needed", "This takes a browser session; an API key cannot do it.")
	errAuthorization = apperr.New(apperr.Unauthenticated, "unsupported_authorization", "Send the API key as Authorization: Bearer kadr_….")
	errAPIKey        = apperr.New(apperr.Unauthenticated, "invalid_api_key", "The API key is not valid, was revoked, or has expired.")
)

// authenticate finds out who sends the request. What goes wrong is kept for the operations that need to know: the others
// work without. The pages, the health and the documentation are the same for everybody, and must be there also when the
// database, which knows the logins, is not.
func (s *Server) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		req := c.Request()
		if !strings.HasPrefix(req.URL.Path, "/api/") && !strings.HasPrefix(req.URL.Path, "/i/") {
			return next(c)
		}
		ctx := context.WithValue(req.Context(), loginKey, s.login(req))
		c.SetRequest(req.WithContext(ctx))
		return next(c)
	}
}

// login reads the credentials. A cookie that no longer counts makes a stranger; a Bearer credential that does not count
// is an error, since a program wants to be told. The cookie is not looked at beside an Authorization header.
func (s *Server) login(req *http.Request) login {
	var l login
	if header := req.Header["Authorization"]; len(header) > 0 {
		scheme, key, _ := strings.Cut(header[0], " ")
		if len(header) > 1 || !strings.EqualFold(scheme, "Bearer") {
			return login{err: errAuthorization}
		}
		l.principal, l.err = s.accounts.AuthenticateKey(req.Context(), strings.TrimSpace(key))
		if apperr.KindOf(l.err) == apperr.Unauthenticated {
			l.err = errAPIKey.Wrap(l.err)
		}
	} else if cookie, err := req.Cookie(s.cookieName()); err == nil {
		l.principal, l.err = s.accounts.AuthenticateSession(req.Context(), cookie.Value)
		if apperr.KindOf(l.err) == apperr.Unauthenticated {
			return login{}
		}
	} else {
		return login{}
	}
	l.known = l.err == nil
	return l
}

// authorize is the validator's AuthenticationFunc. Permission was given before; this is so that the validator cannot be
// used without.
func authorize(ctx context.Context, input *openapi3filter.AuthenticationInput) error {
	return permit(loginOf(ctx), input.RequestValidationInput.Route.Operation)
}

// permit decides whether a login is enough for an operation. It stands in for the validator's own check, which reads the
// whole body into memory before it asks anybody.
func permit(l login, op *openapi3.Operation) error {
	if op.Security == nil || len(*op.Security) == 0 {
		return nil
	}
	var optional, key bool
	for _, alternative := range *op.Security {
		optional = optional || len(alternative) == 0
		key = key || alternative["apiKey"] != nil
	}
	switch {
	case l.err != nil:
		return l.err
	case !l.known:
		if optional {
			return nil
		}
		return errNotSignedIn
	case l.principal.SessionID != "":
		return nil // every operation takes a session; a test walks the contract for it
	case !key:
		return errSessionNeeded
	}
	return requireScope(l.principal, op)
}

// requireScope asks a key for one of the operation's scopes, also where a login is optional.
func requireScope(p account.Principal, op *openapi3.Operation) error {
	var scopes []account.Scope
	var names []string
	for _, s := range op.Extensions["x-scopes"].([]any) { //nolint:forcetypeassert // a test walks the contract for it
		scopes = append(scopes, account.Scope(s.(string)))
		names = append(names, s.(string))
	}
	if !p.HasScope(scopes...) {
		return missingScope(names...)
	}
	return nil
}

func missingScope(names ...string) error {
	return apperr.New(apperr.Forbidden, "missing_scope", "The API key needs the scope "+orList(names)+".")
}

// The session's cookie. With the __Host- prefix a browser takes it only over https, from this host, for every path.
const cookieName = "kadr_session"

func (s *Server) cookieName() string {
	if s.cfg.Secure {
		return "__Host-" + cookieName
	}
	return cookieName
}

func (s *Server) cookie(value string, lifetime time.Duration) string {
	c := http.Cookie{ //nolint:gosec // without https it cannot be Secure
		Name: s.cookieName(), Value: value, Path: "/", MaxAge: int(lifetime.Seconds()), Secure: s.cfg.Secure, HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
	if lifetime <= 0 {
		c.MaxAge = -1
	}
	return c.String()
}
