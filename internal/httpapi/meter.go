package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// Meter counts requests and uploads; *metrics.Metrics does.
type Meter interface {
	// Started says that a request has begun, and Ended that it is over.
	Started()
	Ended()
	// Tally returns where requests are counted that ended alike. It may be kept.
	Tally(operation, method string, status int) Tally
	// Uploaded counts an upload that has come to an end, and the bytes of its body that came in.
	Uploaded(outcome string, received int64)
}

// Tally counts requests.
type Tally interface {
	// Add counts a request, with the bytes of its reply's body. It must not block and need not allocate.
	Add(size int64, took time.Duration)
}

// Trace follows a request: it returns a context that is the request's from now on, and a function that is called once, when it
// is over, with the operation, its path in the contract (empty where there is none), the status and the bytes of the reply's
// body; (*tracing.Tracing).Request does it.
type Trace func(req *http.Request, id string) (context.Context, func(operation, route string, status int, size int64))

// What is served beside the contract's operations.
const (
	operationPage    = "page"     // a file of the frontend
	operationDocs    = "docsFile" // a file of the documentation
	operationUnknown = "unknown"  // a path or a method that there is not
)

// OtherOperations are the names under which a Meter hears of what is none of the contract's operations.
func OtherOperations() []string { return []string{operationPage, operationDocs, operationUnknown} }

// operations finds the names of operations, by method and by the path as echo writes it.
type operations map[[2]string]operation

type operation struct{ name, route string }

func newOperations(v *validator) operations {
	all := operations{}
	for path, item := range v.doc.Paths.Map() {
		for method, op := range item.Operations() {
			all[[2]string{method, v.paths[path]}] = operation{op.OperationID, path}
		}
	}
	others := map[string]string{
		"/p/:id": operationPage, "/u/:name": operationPage, problemsPath: operationPage, problemPath: operationPage, "/docs/:asset": operationDocs,
	}
	for path := range fixedPages() {
		others[path] = operationPage
	}
	for path, name := range others {
		all[[2]string{http.MethodGet, path}] = operation{name, path}
	}
	return all
}

// of names what a request was answered with. All files of the frontend share a route with every path that there is not.
func (o operations) of(c echo.Context) operation {
	if op, ok := o[[2]string{c.Request().Method, c.Path()}]; ok {
		return op
	}
	if c.Path() == "/*" && c.Response().Status < http.StatusBadRequest {
		return operation{operationPage, "/*"}
	}
	return operation{operationUnknown, ""}
}

// methodOf bounds how many methods there are.
func methodOf(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// hotTallies are those of what the link cache answers, at hand so that nothing has to be looked up.
type hotTallies [2][3]Tally

func newHotTallies(m Meter) (all hotTallies) {
	if m == nil {
		return all
	}
	for i, method := range []string{http.MethodGet, http.MethodHead} {
		for j, status := range []int{http.StatusOK, http.StatusPartialContent, http.StatusNotModified} {
			all[i][j] = m.Tally("getFile", method, status)
		}
	}
	return all
}

// of returns nil where nothing is counted, and for what does not happen.
func (h *hotTallies) of(method string, status int) Tally {
	i := 0
	if method == http.MethodHead {
		i = 1
	}
	switch status {
	case http.StatusOK:
		return h[i][0]
	case http.StatusPartialContent:
		return h[i][1]
	case http.StatusNotModified:
		return h[i][2]
	}
	return nil
}

// What may become of an upload.
const (
	uploadCreated  = "created"
	uploadExisting = "existing" // the account had the picture
	uploadRepeated = "repeated" // the answer to the same Idempotency-Key was sent again
)

// UploadOutcomes are all the outcomes that a Meter hears of.
func UploadOutcomes() []string {
	return []string{
		uploadCreated, uploadExisting, uploadRepeated, "invalid", "too_large", "not_a_picture", "broken", "quota", "conflict",
		"limited", "turned_away", "client", "failed",
	}
}

func failedUpload(err error) string {
	switch status := problemOf(err).status; status {
	case http.StatusRequestEntityTooLarge:
		return "too_large"
	case http.StatusUnsupportedMediaType:
		return "not_a_picture"
	case http.StatusUnprocessableEntity:
		return "broken"
	case http.StatusForbidden:
		return "quota"
	case http.StatusConflict, http.StatusPreconditionFailed:
		return "conflict"
	case http.StatusTooManyRequests:
		return "limited"
	case http.StatusServiceUnavailable, http.StatusInsufficientStorage:
		return "turned_away"
	case http.StatusRequestTimeout, statusClientClosedRequest:
		return "client" // too slow, or gone
	default:
		if status >= http.StatusInternalServerError {
			return "failed"
		}
		return "invalid"
	}
}

// countUpload counts an upload of so many bytes that ended with err, or else with outcome.
func (s *Server) countUpload(outcome string, received int64, err error) {
	if s.meter == nil {
		return
	}
	if err != nil {
		outcome = failedUpload(err)
	}
	s.meter.Uploaded(outcome, received)
}
