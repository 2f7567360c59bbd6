package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// retry runs a request until it succeeds, until it fails in a way that will not pass, or until it was tried often enough.
// told hears of each failure that is followed by another attempt.
func retry[T any](ctx context.Context, p patience, told func(error, time.Duration), request func() (T, error)) (T, error) {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval, waits.Multiplier = p.first, p.longest, 2
	var last error
	result, err := backoff.Retry(ctx, func() (T, error) {
		result, err := request()
		last = err
		var no *problem
		switch {
		case err == nil:
			return result, nil
		case ctx.Err() != nil || isPermanent(err):
			return result, backoff.Permanent(err)
		case errors.As(err, &no) && no.retryAfter > p.longest:
			return result, backoff.Permanent(err)
		case errors.As(err, &no) && no.retryAfter > 0:
			return result, &backoff.RetryAfterError{Duration: no.retryAfter}
		}
		return result, err
	}, backoff.WithBackOff(waits), backoff.WithMaxTries(p.tries), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(_ error, wait time.Duration) { told(last, wait) }))
	switch {
	case err == nil:
		return result, nil
	case ctx.Err() != nil:
		return result, context.Cause(ctx)
	}
	return result, last
}

// isPermanent reports whether a failure will not pass by itself. Whatever happens to a connection may pass.
func isPermanent(err error) bool {
	var no *problem
	if errors.As(err, &no) {
		return !no.temporary()
	}
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError // it does not speak TLS
	var dns *net.DNSError
	return errors.As(err, &certificate) || errors.As(err, &record) || errors.As(err, &dns) && dns.IsNotFound ||
		errors.Is(err, errNotKadr) || errors.Is(err, errFile)
}
