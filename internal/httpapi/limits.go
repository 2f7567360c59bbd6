package httpapi

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/upload"
)

// showLimits lets every reply of a limited operation say how its limits stand, whatever becomes of the request. An operation
// that counts notes what its own attempt came to, so that of many at once each hears another number. Whoever was refused
// before that, or got an old reply again, hears how the limits stand now.
func (s *Server) showLimits(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if method := c.Request().Method; method != http.MethodPost && method != http.MethodPatch {
			return next(c) // nothing else is limited
		}
		noted := &notedLimits{}
		c.SetRequest(c.Request().WithContext(context.WithValue(c.Request().Context(), limitsKey, noted)))
		c.Response().Before(func() {
			states := noted.states
			// When the server itself fails, what it would have to ask may be why.
			if states == nil && c.Response().Status < http.StatusInternalServerError {
				states, _ = s.lookAtLimits(c.Request().Context(), s.operations.of(c).name) // a hint, and no reason to fail
			}
			setLimits(c.Response().Header(), states)
		})
		return next(c)
	}
}

// lookTimeout is how long a reply that is ready may wait for what it can do without.
const lookTimeout = time.Second

// lookAtLimits returns how the limits stand that apply to every request of an operation, without counting this one.
func (s *Server) lookAtLimits(ctx context.Context, operation string) ([]account.LimitState, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	switch operation {
	case "createAccount":
		return s.accounts.RegisterLimits(ctx, infoOf(ctx).address)
	case "createSession":
		return s.accounts.SignInLimits(ctx, infoOf(ctx).address)
	case "createUpload":
		if p := principalOf(ctx); p.AccountID != "" {
			left, err := s.uploads.Left(p.AccountID)
			return unfinishedUploads(left), err
		}
	}
	return nil, nil
}

// unfinishedUploads writes how many uploads may still be begun as a limit that time does not lift.
func unfinishedUploads(left int) []account.LimitState {
	return []account.LimitState{{Limit: account.Limit{Name: "unfinished-uploads", Quota: upload.MaxUnfinished}, Remaining: left}}
}

// notedLimits are what the request at work came to.
type notedLimits struct{ states []account.LimitState }

func noteLimits(ctx context.Context, states []account.LimitState) {
	if noted, ok := ctx.Value(limitsKey).(*notedLimits); ok {
		noted.states = states
	}
}

// setLimits writes limits as draft-ietf-httpapi-ratelimit-headers-11 has them: a list of policies, each with what is left of
// it, and for how long that has to do.
func setLimits(h http.Header, limits []account.LimitState) {
	if len(limits) == 0 {
		return
	}
	var states, policies []string
	for _, l := range limits {
		state, policy := fmt.Sprintf("%q;r=%d", l.Limit.Name, l.Remaining), fmt.Sprintf("%q;q=%d", l.Limit.Name, l.Limit.Quota)
		if l.Limit.Window > 0 {
			state += fmt.Sprintf(";t=%d", ceilSeconds(l.Next))
			policy += fmt.Sprintf(";w=%d", ceilSeconds(l.Limit.Window))
		}
		states, policies = append(states, state), append(policies, policy)
	}
	h.Set("RateLimit", strings.Join(states, ", "))
	h.Set("RateLimit-Policy", strings.Join(policies, ", "))
}

func ceilSeconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }
