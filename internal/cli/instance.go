package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kadr-app/kadr/gen/client"
)

// instance is a Kadr somewhere.
type instance struct {
	*client.ClientWithResponses
	url string
}

// newInstance returns the instance at an address that parseURL took. Its replies of 300 and above are errors, always a
// *problem. The key may be empty; jar keeps a session's cookie and may be nil.
func newInstance(address, key string, s Settings, jar http.CookieJar) (*instance, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
	transport.ResponseHeaderTimeout = s.patience.reply
	hc := &http.Client{
		Transport: transport, Jar: jar,
		// A POST that is redirected arrives as a GET, without its body.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c, err := client.NewClientWithResponses(address, client.WithHTTPClient(doer{hc}),
		client.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
			req.Header.Set("User-Agent", "kadr/"+s.Version)
			if key != "" {
				req.Header.Set("Authorization", "Bearer "+key)
			}
			return nil
		}))
	if err != nil {
		return nil, err
	}
	return &instance{ClientWithResponses: c, url: address}, nil
}

// doer makes errors of replies that say no, so that nobody has to look through the dozen that each operation lists.
type doer struct{ *http.Client }

func (d doer) Do(req *http.Request) (*http.Response, error) {
	res, err := d.Client.Do(req) //nolint:gosec // to go where the user says is what it is for
	if err != nil {
		var u *url.Error // says the method and the address once more
		if errors.As(err, &u) {
			err = u.Err
		}
		if cause := context.Cause(req.Context()); cause != nil {
			err = cause
		}
		return nil, err
	}
	if res.StatusCode >= http.StatusMultipleChoices {
		defer res.Body.Close()
		return nil, newProblem(res)
	}
	return res, nil
}

// parseURL returns an instance's address without a slash at its end.
func parseURL(s string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%q is no address of an instance: it must be like https://pictures.example.org", s)
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), nil
}

// patience is how long to wait for what may never come, and how much to send at a time.
type patience struct {
	first, longest time.Duration // between two attempts; longest also of what a reply may ask for
	tries          uint          // in a row without a byte more
	stall          time.Duration // until bytes that don't move are given up
	reply          time.Duration // until a reply has to begin, once all is sent
	part           int64         // bytes; what is larger goes in parts of this size
}

// usualPatience gives up a server that is away after about ten seconds. A reply may take long, since a picture may have to
// wait for a decoder.
func usualPatience() patience {
	return patience{
		first: 500 * time.Millisecond, longest: time.Minute, tries: 6,
		stall: time.Minute, reply: 2 * time.Minute, part: 8 << 20,
	}
}
