package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/kadr-app/kadr/internal/testdb"
)

func TestSummariesOfStatements(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"begin": "BEGIN",
		"\n\tSELECT id, name FROM accounts WHERE id = $1": "SELECT accounts",
		"SELECT 1":                            "SELECT",
		"INSERT INTO images (id) VALUES ($1)": "INSERT images",
		"update variants v SET size = $1":     "UPDATE variants",
		"DELETE FROM sessions WHERE id = $1":  "DELETE sessions",
		"WITH b AS (UPDATE blobs SET uploads = uploads - 1) SELECT ref FROM b": "UPDATE blobs",
		"WITH b AS (SELECT ref FROM blobs FOR UPDATE) SELECT count(*) FROM b":  "SELECT blobs",
		"SELECT x FROM images FOR UPDATE OF images":                            "SELECT images",
		"-- nothing": "SQL",
	} {
		if got := summary(sql); got != want {
			t.Errorf("%q is %q, want %q", sql, got, want)
		}
	}
}

// A statement that fails leaves its SQLSTATE in the trace, and nothing of the values in PostgreSQL's message.
func TestSpansOfStatements(t *testing.T) {
	t.Parallel()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder), sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample())))
	db, err := Open(t.Context(), testdb.New(t).URL, Options{Tracer: provider, MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if err := db.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(recorder.Ended()); n > 0 {
		t.Fatalf("%d spans without a trace that is kept", n)
	}

	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, Remote: true})
	ctx, root := provider.Tracer("test").Start(trace.ContextWithSpanContext(t.Context(), parent), "root")
	_, err = db.pool.Exec(ctx, `SELECT $1::text::int`, "a-secret-value")
	if err == nil || !strings.Contains(err.Error(), "a-secret-value") {
		t.Fatalf("PostgreSQL says no value: %v", err)
	}
	batch := &pgx.Batch{}
	batch.Queue(`SELECT name FROM accounts WHERE id = $1`, "a-secret-value")
	batch.Queue(`DELETE FROM sessions WHERE id = $1`, "a-secret-value")
	if err := db.pool.SendBatch(ctx, batch).Close(); err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, _ = db.pool.Exec(cancelled, `SELECT 1`) // it gets no connection
	root.End()

	found := map[string]sdktrace.ReadOnlySpan{}
	for _, s := range recorder.Ended() {
		found[s.Name()] = s
		if text := fmt.Sprint(s.Name(), s.Attributes(), s.Status(), s.Events()); strings.Contains(text, "secret") {
			t.Errorf("a span tells a value: %s", text)
		}
		if s.Name() != "root" && s.Parent().SpanID() != root.SpanContext().SpanID() {
			t.Errorf("%s has another parent", s.Name())
		}
	}
	failed := found["SELECT"]
	if failed == nil || failed.Status().Code != codes.Error ||
		!slices.Contains(failed.Attributes(), attribute.String("db.response.status_code", "22P02")) {
		t.Errorf("the statement that failed: %v", failed)
	}
	sent := found["BATCH DELETE sessions"]
	if sent == nil || sent.Status().Code != codes.Unset || !slices.Contains(sent.Attributes(), attribute.Int("db.operation.batch.size", 2)) {
		t.Errorf("the batch: %v", sent)
	}
	if wait := found["wait for a connection"]; wait == nil || !slices.Contains(wait.Attributes(), attribute.String("error.type", "cancelled")) {
		t.Errorf("the wait: %v", wait)
	}
}
