package tracing

import (
	"context"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Request begins the span of a request, as a child of the one that its traceparent names. What happens with the context that
// is returned belongs to it. The function that is returned ends it: with the operation's name and its path in the contract,
// which are empty where there is none, the reply's status and the bytes of its body.
func (t *Tracing) Request(req *http.Request, id string) (context.Context, func(operation, route string, status int, size int64)) {
	ctx := t.propagator.Extract(req.Context(), propagation.HeaderCarrier(req.Header))
	method := methodOf(req.Method)
	name := req.Method
	if method == semconv.HTTPRequestMethodOther {
		name = "HTTP"
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		method, attribute.String("kadr.request_id", id),
	))
	return ctx, func(operation, route string, status int, size int64) {
		defer span.End()
		if !span.IsRecording() {
			return
		}
		if operation != "" {
			span.SetName(name + " " + operation)
			span.SetAttributes(attribute.String("kadr.operation", operation))
		}
		if route != "" {
			span.SetAttributes(semconv.HTTPRoute(route))
		}
		span.SetAttributes(semconv.HTTPResponseStatusCode(status), semconv.HTTPResponseBodySize(int(size)))
		if status >= http.StatusInternalServerError {
			span.SetAttributes(semconv.ErrorTypeKey.String(strconv.Itoa(status)))
			span.SetStatus(statusOf(true))
		}
	}
}

// methodOf bounds what methods there are.
func methodOf(method string) attribute.KeyValue {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return semconv.HTTPRequestMethodKey.String(method)
	}
	return semconv.HTTPRequestMethodOther
}

// statusOf is a span's status, without a text: errors' own may hold anything.
func statusOf(failed bool) (codes.Code, string) {
	if failed {
		return codes.Error, ""
	}
	return codes.Unset, ""
}
