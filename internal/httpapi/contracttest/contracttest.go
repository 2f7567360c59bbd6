// Package contracttest holds replies against the contract, for tests: an http.RoundTripper that fails a test when the
// server answers a status, a media type, a header value, a field or a value that the contract does not have. The contract
// leaves its objects open, so that later versions may add to them; here they are closed, so that nothing is answered that
// is not written down.
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
type Checker struct{ router routers.Router }

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
	return &Checker{router: router}, nil
}

// Check holds a reply against the contract. Requests for paths that are not in it (the pages) are not its business, and
// neither are a browser's preflights, which are about requests and not such requests themselves. The
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
		return nil
	}
	if err != nil {
		return nil //nolint:nilerr // not a path of the contract
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
		if err := checkProblem(reply, body); err != nil {
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

// checkProblem holds a problem document against the reply that it came in.
func checkProblem(reply *http.Response, body []byte) error {
	var problem struct {
		Status    int
		RequestID string `json:"request_id"`
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
