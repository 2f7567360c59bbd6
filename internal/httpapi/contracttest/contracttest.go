// Package contracttest holds replies against the contract, for tests: an http.RoundTripper that fails a test when the
// server answers a status, a media type, a header value, a field or a value that the contract does not have. The contract
// leaves its objects open, so that later versions may add to them; here they are closed, so that nothing is answered that
// is not written down. Of problem documents it holds that each has a page that says what it means (api/problems.yaml).
package contracttest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/kadr-app/kadr/api"
)

// Checker knows the contract.
type Checker struct {
	router   routers.Router
	problems map[string]api.Problem // by code
}

// New reads the contract.
func New() (*Checker, error) {
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	if err != nil {
		return nil, fmt.Errorf("load the contract: %w", err)
	}
	for _, schema := range doc.Components.Schemas {
		if s := schema.Value; s.Type.Is("object") && s.AdditionalProperties.Has == nil {
			s.AdditionalProperties.Has = new(false)
		}
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, fmt.Errorf("route the contract: %w", err)
	}
	problems, err := api.Problems()
	if err != nil {
		return nil, err
	}
	c := &Checker{router: router, problems: map[string]api.Problem{}}
	for _, p := range problems {
		c.problems[p.Code] = p
	}
	return c, nil
}

// Check holds a reply against the contract. Of paths that are not in it (the pages) only problems are its business, and a
// browser's preflights are not, which are about requests and not such requests themselves. The
// reply's body is read, and can be read again.
func (c *Checker) Check(req *http.Request, reply *http.Response) error {
	probe := req.Clone(req.Context())
	probe.URL.Host, probe.Host = "", ""
	if probe.Method == http.MethodHead {
		probe.Method = http.MethodGet
	}
	route, params, err := c.router.FindRoute(probe)
	if req.Method == http.MethodOptions && reply.StatusCode == http.StatusNoContent && reply.Header.Get("Access-Control-Allow-Origin") != "" {
		return nil
	}
	if errors.Is(err, routers.ErrMethodNotAllowed) {
		if reply.StatusCode != http.StatusMethodNotAllowed || reply.Header.Get("Allow") == "" {
			return fmt.Errorf("%s %s is not in the contract, and was answered with %d", req.Method, req.URL.Path, reply.StatusCode)
		}
		return c.checkOutside(req, reply)
	}
	if err != nil {
		return c.checkOutside(req, reply)
	}
	declared := route.Operation.Responses.Status(reply.StatusCode)
	if declared == nil {
		return fmt.Errorf("%s answered %d, which the contract does not list for it", route.Operation.OperationID, reply.StatusCode)
	}
	for _, name := range []string{"RateLimit", "RateLimit-Policy", "Retry-After"} {
		if reply.Header.Get(name) != "" && declared.Value.Headers[name] == nil {
			return fmt.Errorf("%s answered %d with %s, which the contract does not list", route.Operation.OperationID, reply.StatusCode, name)
		}
	}
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		return nil //nolint:nilerr // a reply cut short is the test's to notice
	}
	reply.Body = io.NopCloser(bytes.NewReader(body))
	mediaType, _, _ := strings.Cut(reply.Header.Get("Content-Type"), ";")
	if len(body) > 0 && declared.Value.Content[mediaType] == nil {
		return fmt.Errorf("%s answered %d as %q, which the contract does not list", route.Operation.OperationID, reply.StatusCode, mediaType)
	}
	if len(body) == 0 {
		if len(declared.Value.Content) > 0 && req.Method != http.MethodHead {
			return fmt.Errorf("%s answered %d with an empty body", route.Operation.OperationID, reply.StatusCode)
		}
		return nil
	}
	if mediaType == "application/problem+json" {
		if err := c.checkProblem(reply, body); err != nil {
			return fmt.Errorf("%s answered %d: %w\n%s", route.Operation.OperationID, reply.StatusCode, err, body)
		}
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: probe, PathParams: params, Route: route},
		Status:                 reply.StatusCode, Header: reply.Header,
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true, MultiError: true,
			ExcludeResponseBody: !strings.HasSuffix(mediaType, "json"), // bytes and text have no structure to check
		},
	}
	input.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(context.Background(), input); err != nil {
		return fmt.Errorf("%s answered %d with what the contract does not allow: %w\n%s", route.Operation.OperationID, reply.StatusCode, err, body)
	}
	return nil
}

// checkOutside looks at the reply of a path that is not in the contract.
func (c *Checker) checkOutside(req *http.Request, reply *http.Response) error {
	if reply.Header.Get("Content-Type") != "application/problem+json" || req.Method == http.MethodHead {
		return nil
	}
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		return nil //nolint:nilerr // a reply cut short is the test's to notice
	}
	reply.Body = io.NopCloser(bytes.NewReader(body))
	if err := c.checkProblem(reply, body); err != nil {
		return fmt.Errorf("%s %s answered %d: %w\n%s", req.Method, req.URL.Path, reply.StatusCode, err, body)
	}
	return nil
}

// checkProblem holds a problem document against the reply that it came in, and against what its codes are said to mean.
func (c *Checker) checkProblem(reply *http.Response, body []byte) error {
	var problem struct {
		Type      string
		Status    int
		RequestID string `json:"request_id"`
		Errors    []struct{ Code string }
	}
	if err := json.Unmarshal(body, &problem); err != nil {
		return err
	}
	if problem.Status != reply.StatusCode {
		return fmt.Errorf("the problem says that the status is %d", problem.Status)
	}
	if id := reply.Header.Get("X-Request-Id"); problem.RequestID != id {
		return fmt.Errorf("the problem is of the request %s, the reply to %s", problem.RequestID, id)
	}
	code, _ := strings.CutPrefix(problem.Type, "/problems/")
	if known, ok := c.problems[code]; !ok || known.Status != problem.Status {
		return fmt.Errorf("problems.yaml has no %q of the status %d", problem.Type, problem.Status)
	}
	for _, e := range problem.Errors {
		if _, ok := c.problems[e.Code]; !ok {
			return fmt.Errorf("problems.yaml does not have the code %q of an error", e.Code)
		}
	}
	return nil
}

// Transport checks every reply that passes through it, and hands what is wrong to Report.
type Transport struct {
	Base    http.RoundTripper
	Checker *Checker
	Report  func(error)
}

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	reply, err := t.Base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if err := t.Checker.Check(req, reply); err != nil {
		t.Report(err)
	}
	return reply, nil
}
