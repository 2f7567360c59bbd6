package postgres

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// tracer makes a span of each statement that belongs to a trace which is kept; of what else happens it makes none. It is not
// otelpgx, because that puts PostgreSQL's messages into spans, which may repeat a value, and measures each statement also
// where nobody keeps a trace.
type tracer struct{ trace.Tracer }

var (
	_ pgx.QueryTracer       = tracer{}
	_ pgx.BatchTracer       = tracer{}
	_ pgxpool.AcquireTracer = tracer{}
)

func newTracer(p trace.TracerProvider) tracer {
	return tracer{p.Tracer("github.com/kadr-app/kadr/internal/postgres")}
}

// maxQueryText is how much of a statement a span holds, in bytes.
const maxQueryText = 2000

func (t tracer) begin(ctx context.Context, name, sql string, attributes ...attribute.KeyValue) context.Context {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx
	}
	text := strings.Join(strings.Fields(sql), " ")
	if len(text) > maxQueryText {
		text = strings.ToValidUTF8(text[:maxQueryText], "") + "…"
	}
	ctx, _ = t.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		append(attributes, semconv.DBSystemNamePostgreSQL, semconv.DBQueryText(text))...))
	return ctx
}

// end ends the span that begin began; where it began none, the one in ctx is not recording either.
func (t tracer) end(ctx context.Context, err error) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	if err != nil {
		class := "_OTHER"
		var pg *pgconn.PgError
		switch {
		case errors.As(err, &pg): // its message stays out
			class = pg.Code
			span.SetAttributes(semconv.DBResponseStatusCode(pg.Code))
		case errors.Is(err, context.Canceled):
			class = "cancelled"
		case errors.Is(err, context.DeadlineExceeded):
			class = "timeout"
		}
		span.SetAttributes(semconv.ErrorTypeKey.String(class))
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// TraceQueryStart implements pgx.QueryTracer.
func (t tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return t.begin(ctx, summary(data.SQL), data.SQL)
}

// TraceQueryEnd implements pgx.QueryTracer.
func (t tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	t.end(ctx, data.Err)
}

// TraceBatchStart implements pgx.BatchTracer.
func (t tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx
	}
	var statements []string
	for _, q := range data.Batch.QueuedQueries {
		statements = append(statements, q.SQL)
	}
	name := "BATCH"
	if n := len(statements); n > 0 {
		name += " " + summary(statements[n-1]) // the first ones prepare for it
	}
	return t.begin(ctx, name, strings.Join(statements, "; "), semconv.DBOperationBatchSize(len(statements)))
}

// TraceBatchQuery implements pgx.BatchTracer. The batch's end has the first error too.
func (t tracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd implements pgx.BatchTracer.
func (t tracer) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	t.end(ctx, data.Err)
}

// longAcquire is how long a connection must have been waited for to be worth a span.
const longAcquire = time.Millisecond

type acquireKey struct{}

// TraceAcquireStart implements pgxpool.AcquireTracer.
func (t tracer) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx
	}
	return context.WithValue(ctx, acquireKey{}, time.Now())
}

// TraceAcquireEnd implements pgxpool.AcquireTracer.
func (t tracer) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, data pgxpool.TraceAcquireEndData) {
	start, ok := ctx.Value(acquireKey{}).(time.Time)
	if !ok || time.Since(start) < longAcquire && data.Err == nil {
		return
	}
	ctx, _ = t.Start(ctx, "wait for a connection", trace.WithTimestamp(start), trace.WithAttributes(semconv.DBSystemNamePostgreSQL))
	t.end(ctx, data.Err)
}

var (
	verb  = regexp.MustCompile(`(?i)^\s*(\w+)`)
	write = regexp.MustCompile(`(?i)\b(insert|update|delete)\s+(?:into\s+|from\s+)?(\w+)`)
	from  = regexp.MustCompile(`(?i)\bfrom\s+(\w+)`)
)

// summary is a short name for a statement: what it does, and with which table.
func summary(sql string) string {
	first := verb.FindStringSubmatch(sql)
	if first == nil {
		return "SQL"
	}
	name := strings.ToUpper(first[1])
	switch name {
	case "SELECT", "WITH", "INSERT", "UPDATE", "DELETE":
	default:
		return name
	}
	if name != "SELECT" {
		if m := write.FindStringSubmatch(sql); m != nil {
			return strings.ToUpper(m[1]) + " " + m[2]
		}
	}
	if m := from.FindStringSubmatch(sql); m != nil {
		return "SELECT " + m[1]
	}
	return name
}
