package account

import (
	"net/netip"
	"testing"
	"time"
)

func TestLimitState(t *testing.T) {
	t.Parallel()
	l := Limit{Name: "name", Quota: 10, Window: 10 * time.Minute}
	for what, tc := range map[string]struct {
		allowed bool
		debt    time.Duration
		want    LimitState
	}{
		"the first":            {true, time.Minute, LimitState{l, true, 9, time.Minute}},
		"the last":             {true, 10 * time.Minute, LimitState{l, true, 0, time.Minute}},
		"half of one is back":  {true, 9*time.Minute + 30*time.Second, LimitState{l, true, 0, 30 * time.Second}},
		"four and a half back": {true, 5*time.Minute + 30*time.Second, LimitState{l, true, 4, 30 * time.Second}},
		"refused":              {false, 10 * time.Minute, LimitState{l, false, 0, time.Minute}},
		"refused, by a hair":   {false, 9*time.Minute + time.Second, LimitState{l, false, 0, time.Second}},
		"all is back":          {true, -time.Second, LimitState{l, true, 10, time.Minute}},
	} {
		if got := l.State(tc.allowed, tc.debt); got != tc.want {
			t.Errorf("%s: %+v, want %+v", what, got, tc.want)
		}
	}
}

func TestLimitDefaults(t *testing.T) {
	t.Parallel()
	fallback := Limit{Name: "name", Quota: 10, Window: time.Minute}
	for _, tc := range []struct{ given, want Limit }{
		{Limit{}, fallback},
		{Limit{Quota: 3}, Limit{"name", 3, time.Minute}},
		{Limit{"other", 3, time.Hour}, Limit{"other", 3, time.Hour}},
	} {
		if got := tc.given.or(fallback); got != tc.want {
			t.Errorf("%+v became %+v", tc.given, got)
		}
	}
}

func TestAddressKey(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"203.0.113.7":         "203.0.113.7",
		"::ffff:203.0.113.7":  "203.0.113.7",
		"2001:db8:1:2:3::4":   "2001:db8:1:2::/64",
		"fe80::1%eth0":        "fe80::/64",
		"2001:db8:1:2:ffff::": "2001:db8:1:2::/64",
	} {
		if got := addressKey(netip.MustParseAddr(address)); got != want {
			t.Errorf("addressKey(%s) = %s, want %s", address, got, want)
		}
	}
	if got := addressKey(netip.Addr{}); got != "0.0.0.0" {
		t.Errorf("an unknown address is %s", got)
	}
}

func TestRateLimitedMessage(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]string{
		time.Millisecond:        "Too many attempts. Try again in 1 second.",
		time.Second:             "Too many attempts. Try again in 1 second.",
		1001 * time.Millisecond: "Too many attempts. Try again in 2 seconds.",
	} {
		if got := rateLimited(after).Error(); got != "rate_limited: "+want {
			t.Errorf("after %v: %s", after, got)
		}
	}
}
