// Package contracttest holds exchanges against the contract, for tests: an http.RoundTripper, and a reverse proxy for what
// brings its own client, that report whatever goes over them without being written down.
//
// Of a reply that is a status that the operation does not list, a media type, a header or a cookie that the status does not
// have, one that is missing or comes twice, a member at any depth, and any value that is not of its schema. Of a request that
// the server took it is a query parameter, a media type or a member that the operation does not know, and a login that is
// not there. The contract leaves its objects open, so that later versions may add to them; here they are closed. Of problem
// documents it holds that each has a page that says what it means (api/problems.yaml).
//
// It is built on kin-openapi, as the server's own validation is. pb33f/libopenapi-validator has a strict mode for this, but it
// looks at a reply's headers only where the contract declares some, takes every status and a body with a 204 where there is
// a default reply, cannot compile the contract's patterns with \u escapes by itself, and takes three times as long.
package contracttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/kadr-app/kadr/api"
)

// Checker knows the contract. It may be used by many at once.
type Checker struct {
	router     routers.Router
	everywhere map[string]rule
	problems   map[string]api.Problem // by code
}

// New reads the contract.
func New() (*Checker, error) { return newChecker(api.OpenAPI) }

func newChecker(contract []byte) (*Checker, error) {
	doc, err := openapi3.NewLoader().LoadFromData(contract)
	if err != nil {
		return nil, fmt.Errorf("load the contract: %w", err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, fmt.Errorf("route the contract: %w", err)
	}
	problems, err := api.Problems()
	if err != nil {
		return nil, err
	}
	c := &Checker{router: router, everywhere: headersEverywhere(), problems: map[string]api.Problem{}}
	for _, p := range problems {
		c.problems[p.Code] = p
	}
	return c, nil
}

// exchange is a request and its reply, on their way through the check.
type exchange struct {
	name   string // of the operation
	route  *routers.Route
	params map[string]string
	// request is what the contract is asked about: without a host, for it has none, and with GET for HEAD.
	request     *http.Request
	requestBody []byte // of JSON alone
	reply       *http.Response
	replyBody   []byte
	head        bool
}

// Check holds an exchange against the contract; body is what was sent, where that was JSON. Of paths that are
// not in it (the pages) only problems are its business. A browser's preflights are not, which are about requests and not such
// requests themselves, nor errors that are pages. The reply's body is read, and can be read again.
func (c *Checker) Check(req *http.Request, body []byte, reply *http.Response) error {
	if isPreflight(req, reply) || isFaultPage(req, reply) {
		return nil
	}
	x := &exchange{request: req.Clone(req.Context()), requestBody: body, reply: reply, head: req.Method == http.MethodHead}
	x.request.URL.Host, x.request.Host = "", ""
	if x.head {
		x.request.Method = http.MethodGet
	}
	var err error
	x.route, x.params, err = c.router.FindRoute(x.request)
	var declared *openapi3.Response
	switch {
	case errors.Is(err, routers.ErrMethodNotAllowed):
		x.name = req.Method + " " + req.URL.Path
		if declared = c.otherReply(x); reply.StatusCode < 400 {
			return fmt.Errorf("%s is not in the contract, and was answered with %d", x.name, reply.StatusCode)
		}
		if reply.StatusCode == http.StatusMethodNotAllowed && reply.Header.Get("Allow") == "" {
			return fmt.Errorf("%s was answered with 405 without Allow", x.name)
		}
	case err != nil:
		x.name = req.Method + " " + req.URL.Path // not of the contract
	default:
		x.name = x.route.Operation.OperationID
		if declared = x.declaredReply(); declared == nil {
			return fmt.Errorf("%s answered %d, which the contract does not list for it", x.name, reply.StatusCode)
		}
	}
	if x.replyBody, err = io.ReadAll(reply.Body); err != nil {
		reply.Body = io.NopCloser(io.MultiReader(bytes.NewReader(x.replyBody), failing{err}))
		return nil //nolint:nilerr // a reply cut short is the test's to notice
	}
	reply.Body = io.NopCloser(bytes.NewReader(x.replyBody))
	var faults []error
	if declared != nil {
		faults = append(c.checkHeaders(x, declared), x.checkReplyBody(declared)...)
	}
	if len(x.replyBody) > 0 && mediaType(reply.Header) == "application/problem+json" {
		faults = append(faults, c.checkProblem(x)...)
	}
	if declared != nil && reply.StatusCode < 400 {
		faults = append(faults, x.checkRequest()...)
	}
	if len(faults) == 0 {
		return nil
	}
	said := fmt.Sprintf("%.2000s", x.replyBody)
	if !isJSON(mediaType(reply.Header)) {
		said = ""
	}
	return fmt.Errorf("%s answered %d, and the contract knows nothing of this:\n%w\n%s", x.name, reply.StatusCode, errors.Join(faults...), said)
}

// failing is what came after the end of a reply that was cut short.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// declaredReply is what the operation lists for the reply's status. Its default reply is for what every path may answer, and
// for the gateway, as the contract says at its beginning.
func (x *exchange) declaredReply() *openapi3.Response {
	responses := x.route.Operation.Responses
	status := x.reply.StatusCode
	declared := responses.Status(status)
	if x.byGateway() && slices.Contains(gatewayFaults(), status) && (declared == nil || declared.Value.Content[mediaType(x.reply.Header)] == nil) {
		declared = responses.Default()
	}
	if declared == nil {
		return nil
	}
	return declared.Value
}

func gatewayFaults() []int {
	return []int{
		http.StatusTooManyRequests, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout,
	}
}

func (x *exchange) byGateway() bool { return x.reply.Header.Get("Server") == "nginx" }

func isPreflight(req *http.Request, reply *http.Response) bool {
	return req.Method == http.MethodOptions && reply.StatusCode == http.StatusNoContent && reply.Header.Get("Access-Control-Allow-Origin") != ""
}

// isFaultPage tells whether a browser asked for a page where programs get a problem document, and got an error as one.
func isFaultPage(req *http.Request, reply *http.Response) bool {
	return reply.StatusCode >= http.StatusBadRequest && mediaType(reply.Header) == "text/html" &&
		strings.Contains(req.Header.Get("Accept"), "text/html") && !strings.HasPrefix(req.URL.Path, "/api/") && !strings.HasPrefix(req.URL.Path, "/i/")
}

// otherReply is the default reply of a path's operations, for a method that is none of them.
func (c *Checker) otherReply(x *exchange) *openapi3.Response {
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		probe := x.request.Clone(x.request.Context())
		probe.Method = method
		if route, _, err := c.router.FindRoute(probe); err == nil {
			return route.Operation.Responses.Default().Value
		}
	}
	return nil
}

func (x *exchange) checkReplyBody(declared *openapi3.Response) []error {
	media := mediaType(x.reply.Header)
	content := declared.Content[media]
	switch {
	case len(x.replyBody) == 0 && len(declared.Content) > 0 && !x.head && x.reply.StatusCode != http.StatusNotModified:
		return []error{errors.New("an empty body")}
	case len(x.replyBody) == 0:
		return nil
	case content == nil:
		return []error{fmt.Errorf("a body of the type %q", media)}
	case !isJSON(media): // bytes and text have no structure
		return nil
	}
	var value any
	if err := json.Unmarshal(x.replyBody, &value); err != nil {
		return []error{fmt.Errorf("no JSON: %w", err)}
	}
	faults := undeclared("", value, content.Schema.Value)
	if err := content.Schema.Value.VisitJSON(value, openapi3.VisitAsResponse(), openapi3.MultiErrors()); err != nil {
		faults = append(faults, err)
	}
	return faults
}

// checkProblem holds a problem document against the reply that it came in, and against what its codes are said to mean.
func (c *Checker) checkProblem(x *exchange) (faults []error) {
	var problem struct {
		Type      string
		Status    int
		RequestID string `json:"request_id"`
		Errors    []struct{ Code string }
	}
	if err := json.Unmarshal(x.replyBody, &problem); err != nil {
		return []error{err}
	}
	if problem.Status != x.reply.StatusCode {
		faults = append(faults, fmt.Errorf("the problem says that the status is %d", problem.Status))
	}
	if id := x.reply.Header.Get("X-Request-Id"); problem.RequestID != id {
		faults = append(faults, fmt.Errorf("the problem is of the request %s, the reply to %s", problem.RequestID, id))
	}
	code, _ := strings.CutPrefix(problem.Type, "/problems/")
	if known, ok := c.problems[code]; !ok || known.Status != problem.Status {
		faults = append(faults, fmt.Errorf("problems.yaml has no %q of the status %d", problem.Type, problem.Status))
	}
	for _, e := range problem.Errors {
		if _, ok := c.problems[e.Code]; !ok {
			faults = append(faults, fmt.Errorf("problems.yaml does not have the code %q of an error", e.Code))
		}
	}
	return faults
}

func mediaType(h http.Header) string {
	media, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(media))
}

func isJSON(media string) bool { return strings.HasSuffix(media, "json") }
