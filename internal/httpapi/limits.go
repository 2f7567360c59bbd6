package httpapi

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/apperr"
)

// limitHeaders writes limits as draft-ietf-httpapi-ratelimit-headers has them: a list of policies, each with what is left
// of it. Both are nil when nothing was limited.
func limitHeaders(limits []account.LimitState) (rateLimit, policy *string) {
	if len(limits) == 0 {
		return nil, nil
	}
	var states, policies []string
	for _, l := range limits {
		states = append(states, fmt.Sprintf("%q;r=%d;t=%d", l.Limit.Name, l.Remaining, ceilSeconds(l.Reset)))
		policies = append(policies, fmt.Sprintf("%q;q=%d;w=%d", l.Limit.Name, l.Limit.Quota, ceilSeconds(l.Limit.Window)))
	}
	return new(strings.Join(states, ", ")), new(strings.Join(policies, ", "))
}

func ceilSeconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// withLimits lets the reply to an error carry the limits too.
func withLimits(err error, limits []account.LimitState) error {
	if apperr.KindOf(err) == apperr.Internal || len(limits) == 0 {
		return err
	}
	p := *problemOf(err)
	p.header = p.header.Clone()
	if p.header == nil {
		p.header = http.Header{}
	}
	rateLimit, policy := limitHeaders(limits)
	p.header.Set("RateLimit", *rateLimit)
	p.header.Set("RateLimit-Policy", *policy)
	return &p
}
