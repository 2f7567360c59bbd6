package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/labstack/echo/v4"

	"github.com/kadr-app/kadr/gen/server"
)

// maxBody is the largest body of an operation that is not marked x-stream-body, in bytes.
const maxBody = 1 << 20

// validator holds every request against the contract. The stock middlewares read the whole body before they look at who
// sends it, and hand multipart bodies over as one value; this one asks for the login first, reads small bodies only, and
// leaves a streamed body alone.
type validator struct {
	doc     *openapi3.T
	router  routers.Router
	paths   map[string]string // the contract's paths as echo writes them: /a/{b} is /a/:b
	options openapi3filter.Options
}

func newValidator(contract []byte) (*validator, error) {
	doc, err := openapi3.NewLoader().LoadFromData(contract)
	if err != nil {
		return nil, fmt.Errorf("load the contract: %w", err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("the contract is not sound: %w", err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, fmt.Errorf("route the contract: %w", err)
	}
	v := &validator{doc: doc, router: router, paths: map[string]string{}, options: openapi3filter.Options{
		MultiError: true, KeepValidatedValue: true, RejectWhenRequestBodyNotSpecified: true, SkipSettingDefaults: true,
		AuthenticationFunc: authorize,
		// The validator itself lets the 30th of February through, at which the generated code stumbles.
		SchemaValidationOptions: []openapi3.SchemaValidationOption{
			openapi3.WithStringFormatValidator("date-time", openapi3.NewCallbackValidator(func(s string) error {
				_, err := time.Parse(time.RFC3339, s)
				return err
			})),
		},
	}}
	braces := strings.NewReplacer("{", ":", "}", "")
	for path := range doc.Paths.Map() {
		v.paths[path] = braces.Replace(path)
	}
	return v, nil
}

// middleware validates requests to the contract's paths, and lets others through to whatever serves them.
func (v *validator) middleware(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		req := c.Request()
		route, pathParams, err := v.router.FindRoute(req)
		if errors.Is(err, routers.ErrMethodNotAllowed) {
			return methodNotAllowed(v.methods(req)...)
		}
		if err != nil || v.paths[route.Path] != c.Path() {
			// Echo and the contract have to agree on which operation this is: what is not validated is not served.
			if v.isContractPath(c.Path()) {
				return errNoSuchPath
			}
			return next(c)
		}
		if err := v.validate(req, route, pathParams); err != nil {
			return err
		}
		return next(c)
	}
}

func (v *validator) isContractPath(echoPath string) bool {
	for _, p := range v.paths {
		if p == echoPath {
			return true
		}
	}
	return false
}

// methods are those that the contract has for the request's path.
func (v *validator) methods(req *http.Request) []string {
	var methods []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := req.Clone(req.Context())
		probe.Method = method
		if _, _, err := v.router.FindRoute(probe); err == nil {
			methods = append(methods, method)
			if method == http.MethodGet {
				methods = append(methods, http.MethodHead)
			}
		}
	}
	return methods
}

func methodNotAllowed(allowed ...string) error {
	return &problem{
		status: http.StatusMethodNotAllowed, code: "method_not_allowed",
		detail: "This path knows " + andList(allowed) + " only.",
		header: http.Header{"Allow": {strings.Join(allowed, ", ")}},
	}
}

// validate checks, in this order: the login, the path, the query, the body's kind, then all that has a schema.
func (v *validator) validate(req *http.Request, route *routers.Route, pathParams map[string]string) error {
	op := route.Operation
	if err := permit(loginOf(req.Context()), op); err != nil {
		return err
	}
	query, faults := checkQuery(req.URL.RawQuery, op)
	joinHeaders(req.Header, op)
	options := v.options
	input := &openapi3filter.RequestValidationInput{
		Request: req, PathParams: pathParams, QueryParams: query, Route: route, Options: &options,
	}
	if !pathExists(req.Context(), input) {
		return errNoSuchPath
	}
	if len(faults) > 0 {
		return invalid(faults)
	}
	if err := checkBody(req, op, input); err != nil {
		return err
	}
	if err := openapi3filter.ValidateRequest(req.Context(), input); err != nil {
		return translateValidation(err)
	}
	return nil
}

func isStream(op *openapi3.Operation) bool {
	stream, _ := op.Extensions["x-stream-body"].(bool)
	return stream
}

func isOpen(op *openapi3.Operation) bool {
	open, _ := op.Extensions["x-open-query"].(bool)
	return open
}

// pathExists is false for ids and names that cannot be: there is nothing at such a path, so it is a 404 and not a 400.
func pathExists(ctx context.Context, input *openapi3filter.RequestValidationInput) bool {
	for _, p := range input.Route.Operation.Parameters {
		if p.Value.In == openapi3.ParameterInPath && openapi3filter.ValidateParameter(ctx, input, p.Value) != nil {
			return false
		}
	}
	return true
}

// joinHeaders makes one line of a header that came in several (RFC 9110 §5.3). The generated code takes one only.
func joinHeaders(header http.Header, op *openapi3.Operation) {
	for _, p := range op.Parameters {
		if lines := header.Values(p.Value.Name); p.Value.In == openapi3.ParameterInHeader && len(lines) > 1 {
			header.Set(p.Value.Name, strings.Join(lines, ", "))
		}
	}
}

// checkQuery parses the query strictly: no parameter that the operation does not know (unless it is marked x-open-query),
// none twice, none empty unless that says something, nothing that is not text.
func checkQuery(raw string, op *openapi3.Operation) (url.Values, []server.FieldError) {
	fault := func(name, code, detail string) server.FieldError {
		return newFault(server.Query, printable(name, 200), nil, code, detail)
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return values, []server.FieldError{{In: server.Query, Code: "malformed_query", Detail: "The query is not well formed."}}
	}
	var faults []server.FieldError
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := values.Get(name)
		param := op.Parameters.GetByInAndName(openapi3.ParameterInQuery, name)
		switch {
		case param == nil && isOpen(op):
		case param == nil:
			faults = append(faults, fault(name, "unknown_parameter", "This operation does not know that parameter."))
		case len(values[name]) > 1:
			faults = append(faults, fault(name, "repeated_parameter", "This parameter may be given only once."))
		case value == "" && !param.AllowEmptyValue:
			faults = append(faults, fault(name, "empty_parameter", "Give a value, or leave the parameter out."))
		case !utf8.ValidString(value):
			faults = append(faults, fault(name, "invalid_utf8", "This is not valid UTF-8."))
		case strings.ContainsRune(value, 0):
			faults = append(faults, fault(name, "nul_character", "The NUL character is not allowed."))
		case param.Schema.Value.Type.Is("boolean") && value != "true" && value != "false":
			// The validator would take 1, t and TRUE as well, which a form's fields do not.
			faults = append(faults, fault(name, "type", "This must be true or false."))
		}
	}
	return values, faults
}

// checkBody looks at what kind of body there is, and reads a small one. A streamed body is left to whoever reads it.
func checkBody(req *http.Request, op *openapi3.Operation, input *openapi3filter.RequestValidationInput) error {
	hasBody := infoOf(req.Context()).body != nil
	switch {
	case op.RequestBody == nil && hasBody:
		return bodyFault("unexpected_body", "This operation takes no body.")
	case op.RequestBody == nil:
		return nil
	case !hasBody && !isStream(op):
		return bodyFault("missing_body", "This operation needs a body.")
	}
	if err := checkMediaType(req, op); err != nil {
		return err
	}
	if isStream(op) {
		input.Request = req.Clone(req.Context())
		input.Request.Body = http.NoBody
		input.Options.ExcludeRequestBody = true
		return nil
	}
	return bufferJSON(req)
}

// checkMediaType refuses a body of a type that the operation does not take. It writes the type back in lower case: the
// validator would take any case, and the generated code only this one.
func checkMediaType(req *http.Request, op *openapi3.Operation) error {
	content := op.RequestBody.Value.Content
	header := req.Header.Get("Content-Type")
	mediaType, params, err := mime.ParseMediaType(header)
	if err != nil || content[mediaType] == nil {
		types := slices.Sorted(maps.Keys(content))
		return &problem{
			status: http.StatusUnsupportedMediaType, code: "unsupported_media_type",
			detail: "The body's Content-Type must be " + orList(types) + ".",
		}
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return &problem{status: http.StatusUnsupportedMediaType, code: "unsupported_charset", detail: "The body must be UTF-8."}
	}
	if coding := req.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return &problem{
			status: http.StatusUnsupportedMediaType, code: "unsupported_content_encoding",
			detail: "The body must be sent as it is, without a Content-Encoding.",
		}
	}
	if mediaType == "multipart/form-data" && params["boundary"] == "" {
		return bodyFault("malformed_form", "The Content-Type of a form needs its boundary.")
	}
	_, rest, _ := strings.Cut(header, ";")
	req.Header.Set("Content-Type", strings.TrimSuffix(mediaType+";"+rest, ";"))
	return nil
}

// bufferJSON reads a small body and refuses what is not exactly one JSON value in UTF-8.
func bufferJSON(req *http.Request) error {
	body, err := io.ReadAll(http.MaxBytesReader(nil, req.Body, maxBody))
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return bodyFault("missing_body", "The body is empty; this operation needs one.")
	}
	if !utf8.Valid(body) {
		return bodyFault("invalid_utf8", "The body is not valid UTF-8.")
	}
	var value json.RawMessage
	if err := json.Unmarshal(body, &value); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return bodyFault("malformed_json", fmt.Sprintf("The body is not well-formed JSON: something is wrong at byte %d.", syntax.Offset))
		}
		return bodyFault("malformed_json", "The body is not well-formed JSON.")
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	req.ContentLength = int64(len(body))
	return nil
}
