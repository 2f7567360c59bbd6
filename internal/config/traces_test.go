package config_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/kadr-app/kadr/internal/config"
)

func TestTracesAreAskedForByStandardVariables(t *testing.T) {
	t.Parallel()
	const endpoint, exporter = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_EXPORTER"
	type vars = map[string]string
	for _, c := range []struct {
		environ vars
		want    bool
	}{
		{nil, false},
		{vars{"OTEL_SERVICE_NAME": "kadr", "OTEL_TRACES_SAMPLER": "always_on"}, false},
		{vars{endpoint: "http://localhost:4318"}, true},
		{vars{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector.example.org/v1/traces"}, true},
		{vars{exporter: "otlp"}, true},
		{vars{exporter: "none", endpoint: "http://localhost:4318"}, false},
		{vars{"OTEL_SDK_DISABLED": "TRUE", endpoint: "http://localhost:4318"}, false},
		{vars{"OTEL_SDK_DISABLED": "false", endpoint: "http://localhost:4318"}, true},
		{vars{endpoint: "http://localhost:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_TRACES_SAMPLER": "traceidratio"}, true},
		{vars{exporter: "none", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false}, // nobody asks
	} {
		if got, err := config.Parse(c.environ); err != nil || got.Traces != c.want {
			t.Errorf("%v: %v, %v", c.environ, got.Traces, err)
		}
	}
	wrong := vars{
		exporter: "zipkin", endpoint: "localhost:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
		"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json", "OTEL_TRACES_SAMPLER": "often",
	}
	for name, value := range wrong {
		environ := vars{endpoint: "http://localhost:4318", "KADR_LOG_FORMAT": "xml"}
		maps.Copy(environ, vars{name: value})
		_, err := config.Parse(environ)
		if err == nil || !strings.Contains(err.Error(), name+": must be") || !strings.Contains(err.Error(), "KADR_LOG_FORMAT: ") {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
}
