package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/kadr-app/kadr/gen/client"
)

// problem is a reply that says no.
type problem struct {
	status     int
	code       string // at the end of the problem's type; empty if it is not Kadr that answers
	text       string
	retryAfter time.Duration
	broken     bool // the reply ended before it was whole, so that it is not known what it says
}

func (p *problem) Error() string { return p.text }

// refused reports whether it is about who asks, and so the same for every other request.
func (p *problem) refused() bool {
	return p.status == http.StatusUnauthorized || p.code == "missing_scope" || p.code == "session_needed"
}

// temporary reports whether the same request may succeed a little later.
func (p *problem) temporary() bool {
	switch p.status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return p.broken || p.code == "idempotency_in_progress" || p.code == "upload_completing"
}

// maxProblem bounds what is read of a reply that says no, in bytes.
const maxProblem = 256 << 10

// newProblem reads a reply. A gateway's or another server's is told by its status alone.
func newProblem(res *http.Response) *problem {
	p := &problem{status: res.StatusCode, text: "the server says " + res.Status}
	if to, err := res.Location(); err == nil && p.status < http.StatusBadRequest {
		p.text = fmt.Sprintf("the server sends to %s://%s: use that address", to.Scheme, to.Host)
	}
	p.retryAfter = retryAfter(res.Header.Get("Retry-After"), time.Now())
	body, err := io.ReadAll(io.LimitReader(res.Body, maxProblem))
	p.broken = err != nil
	var document client.Problem
	if err != nil || json.Unmarshal(body, &document) != nil || document.Detail == "" {
		return p
	}
	p.code = path.Base(document.Type)
	var text strings.Builder
	text.WriteString(document.Detail)
	if document.Errors != nil {
		for _, e := range *document.Errors {
			if where := whereOf(e); e.Detail != document.Detail {
				fmt.Fprintf(&text, " %s: %s", where, e.Detail)
			}
		}
	}
	if document.RequestID != "" {
		fmt.Fprintf(&text, " (request %s)", document.RequestID)
	}
	p.text = printable(text.String())
	return p
}

// retryAfter reads the header's two forms (RFC 9110 §10.2.3): seconds, or a date. It is 0 for what is neither, or past.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// whereOf names the member or the parameter at fault.
func whereOf(e client.FieldError) string {
	switch {
	case e.Pointer != nil:
		return strings.TrimPrefix(*e.Pointer, "/")
	case e.Parameter != nil:
		return *e.Parameter
	}
	return string(e.In)
}
