package config

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// readTraces tells whether the standard variables ask for traces: when a collector is named, or OTEL_TRACES_EXPORTER is otlp,
// and neither OTEL_TRACES_EXPORTER=none nor OTEL_SDK_DISABLED=true says otherwise. What is asked for and cannot be had is a
// fault. Everything else the SDK reads itself.
func readTraces(environ map[string]string) (wanted bool, faults []error) {
	get := func(names ...string) (name, value string) { // the first that is set
		for _, name = range names {
			if value = strings.TrimSpace(environ[name]); value != "" {
				return name, value
			}
		}
		return names[len(names)-1], ""
	}
	must := func(ok bool, name, text string) {
		if !ok {
			faults = append(faults, errors.New(name+": "+text))
		}
	}
	endpointName, endpoint := get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
	exporterName, exporter := get("OTEL_TRACES_EXPORTER")
	_, disabled := get("OTEL_SDK_DISABLED")
	if strings.EqualFold(disabled, "true") || exporter == "none" || exporter == "" && endpoint == "" {
		return false, nil
	}
	must(exporter == "" || exporter == "otlp", exporterName, "must be otlp or none")
	u, err := url.Parse(endpoint)
	must(endpoint == "" || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "", endpointName,
		"must be an http or https address such as http://localhost:4318")
	name, protocol := get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
	must(protocol == "" || protocol == "http/protobuf", name, "must be http/protobuf, which is spoken on port 4318 as a rule; grpc is not")
	samplers := []string{
		"always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio",
	}
	name, sampler := get("OTEL_TRACES_SAMPLER")
	must(sampler == "" || slices.Contains(samplers, strings.ToLower(sampler)), name, "must be one of "+strings.Join(samplers, ", "))
	return true, faults
}
