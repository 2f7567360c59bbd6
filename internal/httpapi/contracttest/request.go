package contracttest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// checkRequest holds a request that the server took against the contract: it should have refused what is not in it. What it
// refuses may be anything. Headers that nobody declared are not looked at, for clients and proxies send many, and neither is
// what is in a streamed body.
func (x *exchange) checkRequest() (faults []error) {
	op := x.route.Operation
	query, err := url.ParseQuery(x.request.URL.RawQuery)
	if err != nil {
		return []error{fmt.Errorf("the query: %w", err)}
	}
	open, _ := op.Extensions["x-open-query"].(bool)
	for name, values := range query {
		switch known := op.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) != nil; {
		case !known && !open:
			faults = append(faults, fmt.Errorf("the query parameter %q", name))
		case known && len(values) > 1:
			faults = append(faults, fmt.Errorf("the query parameter %q more than once", name))
		}
	}
	options := &openapi3filter.Options{
		MultiError: true, SkipSettingDefaults: true, AuthenticationFunc: authenticated, RejectWhenRequestBodyNotSpecified: true,
	}
	media := mediaType(x.request.Header)
	if x.requestBody != nil {
		x.request.Body = io.NopCloser(bytes.NewReader(x.requestBody))
		x.request.ContentLength = int64(len(x.requestBody))
		x.request.Header.Set("Content-Type", media) // in lower case, and in UTF-8 without saying so
	} else {
		x.request.Body = http.NoBody
		options.ExcludeRequestBody = true
	}
	err = openapi3filter.ValidateRequest(context.Background(), &openapi3filter.RequestValidationInput{
		Request: x.request, PathParams: x.params, QueryParams: query, Route: x.route, Options: options,
	})
	if err != nil {
		faults = append(faults, fmt.Errorf("the request: %w", err))
	}
	switch {
	case op.RequestBody == nil:
		if media != "" && x.request.ContentLength != 0 {
			faults = append(faults, errors.New("the request's body"))
		}
	case op.RequestBody.Value.Content[media] == nil:
		faults = append(faults, fmt.Errorf("the request's type %q", media))
	case x.requestBody != nil:
		var value any
		if err := json.Unmarshal(x.requestBody, &value); err != nil {
			faults = append(faults, fmt.Errorf("the request is no JSON: %w", err))
		}
		for _, err := range undeclared("", value, op.RequestBody.Value.Content[media].Schema.Value) {
			faults = append(faults, fmt.Errorf("of the request, %w", err))
		}
	}
	return faults
}

// authenticated is the validator's AuthenticationFunc: whether a login of that kind is there at all.
func authenticated(_ context.Context, in *openapi3filter.AuthenticationInput) error {
	req := in.RequestValidationInput.Request
	if in.SecurityScheme.Type == "http" {
		if scheme, _, _ := strings.Cut(req.Header.Get("Authorization"), " "); strings.EqualFold(scheme, in.SecurityScheme.Scheme) {
			return nil
		}
		return errors.New("no Authorization")
	}
	for _, prefix := range []string{"", "__Host-"} {
		if _, err := req.Cookie(prefix + in.SecurityScheme.Name); err == nil {
			return nil
		}
	}
	return errors.New("no cookie")
}
