package account

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/token"
)

// Limit allows Quota attempts at once and then one every Window/Quota (the generic cell rate algorithm), so that there
// is no moment at which a whole window's attempts come free.
type Limit struct {
	Name   string // the policy's name in the RateLimit headers, such as "address"
	Quota  int    // negative: no limit
	Window time.Duration
}

func (l Limit) or(fallback Limit) Limit {
	if l.Quota == 0 {
		return fallback
	}
	if l.Name == "" {
		l.Name = fallback.Name
	}
	if l.Window <= 0 {
		l.Window = fallback.Window
	}
	return l
}

func (l Limit) isOff() bool { return l.Quota < 0 }

// Interval is what one attempt costs: the time in which it comes back, in whole microseconds (the database's).
func (l Limit) Interval() time.Duration {
	return max(l.Window/time.Duration(l.Quota), time.Microsecond).Truncate(time.Microsecond)
}

// State tells what is left when the attempts that still count will have come back after debt.
func (l Limit) State(allowed bool, debt time.Duration) LimitState {
	debt = max(debt, 0)
	state := LimitState{Limit: l, Allowed: allowed}
	if allowed {
		// A microsecond more, since the times in between are rounded.
		state.Remaining = min(int(max(l.Window-debt+time.Microsecond, 0)/l.Interval()), l.Quota)
	}
	state.Next = max(debt+time.Duration(state.Remaining+1)*l.Interval()-l.Window, time.Millisecond)
	return state
}

// LimitState is how a limit stands after an attempt. The RateLimit headers are made from it.
type LimitState struct {
	Limit     Limit
	Allowed   bool
	Remaining int           // further attempts that would pass right now
	Next      time.Duration // until one more than those would
}

// attempt is one counter that an attempt has to pass.
type attempt struct {
	key   string
	limit Limit
}

func (s *Service) signInByAddress(address netip.Addr) attempt {
	return attempt{"sign_in/address/" + addressKey(address), s.cfg.SignInPerAddress}
}

// signInByName takes the name as it is typed: phones begin fields with a capital, and names have none. It is hashed, since what
// strangers type there is now and then a password.
func (s *Service) signInByName(name string) attempt {
	return attempt{fmt.Sprintf("sign_in/name/%x", token.Hash(strings.ToLower(name))), s.cfg.SignInPerName}
}

func (s *Service) registerByAddress(address netip.Addr) attempt {
	return attempt{"register/address/" + addressKey(address), s.cfg.RegisterPerAddress}
}

// take counts the attempt against each limit in turn and stops at the first that refuses, so that an address that is
// over its limit cannot use up a name's. The states come back with the error too.
func (s *Service) take(ctx context.Context, attempts ...attempt) ([]LimitState, error) {
	states := make([]LimitState, 0, len(attempts))
	for _, a := range attempts {
		if a.limit.isOff() {
			continue
		}
		state, err := s.store.TakeAttempt(ctx, a.key, a.limit)
		if err != nil {
			return states, err
		}
		states = append(states, state)
		if !state.Allowed {
			return states, rateLimited(state.Next)
		}
	}
	return states, nil
}

// giveBack undoes a take, in the counter and in its state. When it fails the attempt stays counted, which is the side to
// err on and no reason to fail what succeeded.
func (s *Service) giveBack(ctx context.Context, a attempt, states []LimitState) {
	if a.limit.isOff() || s.store.ReturnAttempt(ctx, a.key, a.limit) != nil {
		return
	}
	for i := range states {
		if states[i].Limit == a.limit {
			states[i].Remaining = min(states[i].Remaining+1, a.limit.Quota)
		}
	}
}

// CountSignIn counts an attempt to sign in that may be answered by what is remembered of an earlier one, before that is looked
// at. When it turns out to be no guess, undo takes it back. The limits' states come back with an error too. RateLimited.
func (s *Service) CountSignIn(ctx context.Context, name string, address netip.Addr) (limits []LimitState, undo func(context.Context), err error) {
	return s.count(ctx, s.signInByAddress(address), s.signInByName(name))
}

// CountRegistration is CountSignIn for an attempt to register. It counts for the name as well, since an earlier one that made
// the account has a password to guess at.
func (s *Service) CountRegistration(ctx context.Context, name string, address netip.Addr) (limits []LimitState, undo func(context.Context), err error) {
	return s.count(ctx, s.registerByAddress(address), s.signInByName(name))
}

func (s *Service) count(ctx context.Context, attempts ...attempt) ([]LimitState, func(context.Context), error) {
	limits, err := s.take(ctx, attempts...)
	return limits, func(ctx context.Context) {
		for _, a := range attempts {
			s.giveBack(ctx, a, limits)
		}
	}, err
}

// RegisterLimits returns how the limit on registrations from an address stands. Nothing is counted.
func (s *Service) RegisterLimits(ctx context.Context, address netip.Addr) ([]LimitState, error) {
	return s.look(ctx, s.registerByAddress(address))
}

// SignInLimits returns how the limit on signing in from an address stands, whatever the name. Nothing is counted.
func (s *Service) SignInLimits(ctx context.Context, address netip.Addr) ([]LimitState, error) {
	return s.look(ctx, s.signInByAddress(address))
}

func (s *Service) look(ctx context.Context, a attempt) ([]LimitState, error) {
	if a.limit.isOff() {
		return nil, nil
	}
	state, err := s.store.LimitState(ctx, a.key, a.limit)
	if err != nil {
		return nil, err
	}
	return []LimitState{state}, nil
}

func rateLimited(after time.Duration) error {
	seconds := int64((after + time.Second - 1) / time.Second)
	unit := "seconds"
	if seconds == 1 {
		unit = "second"
	}
	return apperr.Newf(ErrRateLimited.Kind, ErrRateLimited.Code, "Too many attempts. Try again in %d %s.", seconds, unit).
		After(after)
}

// addressKey is what an address is limited as: an IPv4 address by itself, an IPv6 one by its /64, which is the least
// that anybody is given.
func addressKey(address netip.Addr) string {
	address = plainAddress(address)
	if address.Is4() {
		return address.String()
	}
	prefix, err := address.Prefix(64)
	if err != nil { // an IPv6 address without a zone always has one
		return address.String()
	}
	return prefix.String()
}

// plainAddress drops what two forms of one address may differ in. An unknown one, as over a unix socket, is 0.0.0.0.
func plainAddress(address netip.Addr) netip.Addr {
	if !address.IsValid() {
		return netip.IPv4Unspecified()
	}
	return address.Unmap().WithZone("")
}
