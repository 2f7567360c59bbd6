// Package tracing sends traces of what the instance does to whoever collects them: a span for each request, with those of its
// statements (which internal/postgres makes) and of the decoders below it.
//
// Whether there are traces at all is decided in internal/config; without them nothing here is ever called. How many, whereto
// and under what name is read from the environment by the OpenTelemetry SDK itself, by the standard names (OTEL_…). It is
// used because those names, sampling, batching and the protocol are what everybody else's tools expect. Nothing of it is
// global: each App has a provider of its own, and hands it to who needs it.
//
// No attribute holds what would let anybody in: no query, header, cookie or key, no path, since whoever has the link of an
// unlisted picture may see it, and no value of a statement.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/kadr-app/kadr/internal/imaging"
)

// Tracing is one App's traces. It is safe for concurrent use.
type Tracing struct {
	provider   *sdktrace.TracerProvider
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
}

const tracerName = "github.com/kadr-app/kadr"

// New returns Tracing that sends spans as the environment says. A collector that is not there is no error: that is logged, now
// and then. The caller must Close it.
func New(ctx context.Context, version string, log *slog.Logger) (*Tracing, error) {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("send traces: %w", err)
	}
	res, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName("kadr"), semconv.ServiceVersion(version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("what traces say of themselves: %w", err), exporter.Shutdown(ctx))
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(&loggedExporter{SpanExporter: exporter, log: log}), sdktrace.WithResource(res))
	return &Tracing{
		provider: provider, propagator: propagation.TraceContext{},
		tracer: provider.Tracer(tracerName, trace.WithInstrumentationVersion(version), trace.WithSchemaURL(semconv.SchemaURL)),
	}, nil
}

// Provider is for rooms that make spans of their own.
func (t *Tracing) Provider() trace.TracerProvider { return t.provider }

// Close sends what is left, and gives up when ctx ends.
func (t *Tracing) Close(ctx context.Context) error {
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last traces: %w", err)
	}
	return nil
}

// Decoded makes a span of a request to the decoders, where it belongs to a trace that is kept.
func (t *Tracing) Decoded(ctx context.Context, w imaging.Work) {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return
	}
	began := w.Begun.Add(w.Waited)
	_, span := t.tracer.Start(ctx, "decode "+w.Step, trace.WithTimestamp(w.Begun), trace.WithAttributes(
		attribute.String("kadr.decode.step", w.Step),
		attribute.String("kadr.decode.outcome", w.Outcome),
		attribute.String("kadr.decode.format", string(w.Format)),
		attribute.Int64("kadr.decode.pixels", w.Pixels),
		attribute.Int("kadr.decode.outputs", w.Outputs),
		attribute.Float64("kadr.decode.wait_seconds", w.Waited.Seconds()),
	))
	if w.Worked > 0 {
		span.AddEvent("a decoder begins", trace.WithTimestamp(began))
	}
	if w.Outcome != imaging.OutcomeOK {
		span.SetAttributes(semconv.ErrorTypeKey.String(w.Outcome))
		span.SetStatus(statusOf(w.Outcome != imaging.OutcomeRefused && w.Outcome != imaging.OutcomeWithdrawn))
	}
	span.End(trace.WithTimestamp(began.Add(w.Worked)))
}

// loggedExporter tells our own log of failures. The SDK would tell a handler that the whole process shares.
type loggedExporter struct {
	sdktrace.SpanExporter
	log *slog.Logger

	mu   sync.Mutex
	next time.Time // not before then is anything said again
	lost int       // spans, since it was last said
}

const complainEvery = time.Minute

// ExportSpans implements sdktrace.SpanExporter.
func (e *loggedExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if err == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lost += len(spans)
	if now := time.Now(); now.After(e.next) {
		e.log.WarnContext(ctx, "traces could not be sent", "spans", e.lost, "error", err)
		e.next, e.lost = now.Add(complainEvery), 0
	}
	return nil
}
