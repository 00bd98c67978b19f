// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Exporters and protocols that the standard variables may name.
const (
	otlp    = "otlp"
	console = "console"
	none    = "none"

	overGRPC = "grpc"
	overHTTP = "http/protobuf"
)

// settings are what the standard environment variables ask for and the SDK of Go
// leaves to its users. The SDK reads the others, and the exporters theirs.
type settings struct {
	disabled  bool
	exporters []string // otlp, console or both
	protocol  string   // of otlp
	endpoint  string   // of its collector
}

// readSettings reads them. What it does not understand it leaves out, as the
// specification asks for, and says so.
func readSettings(warn func(string)) settings {
	s := settings{protocol: firstEnv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")}
	switch disabled := os.Getenv("OTEL_SDK_DISABLED"); strings.ToLower(disabled) {
	case "true":
		s.disabled = true
	case "", "false":
	default:
		warn(fmt.Sprintf("OTEL_SDK_DISABLED is neither true nor false, but %q: the SDK is not disabled", disabled))
	}
	switch s.protocol {
	case overGRPC, overHTTP:
	case "":
		s.protocol = overGRPC
	default:
		warn(fmt.Sprintf("OTEL_EXPORTER_OTLP_PROTOCOL: there is no %q here, but %s and %s: it is %[2]s",
			s.protocol, overGRPC, overHTTP))
		s.protocol = overGRPC
	}
	s.endpoint = firstEnv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
	s.exporters = readExporters(s.endpoint, warn)
	if s.endpoint == "" {
		s.endpoint = map[string]string{overGRPC: "http://localhost:4317", overHTTP: "http://localhost:4318"}[s.protocol]
	}
	return s
}

// readExporters returns those to export to. The specification's default is otlp;
// ours is that only if a collector is named, since this is to run with nothing else
// installed.
func readExporters(endpoint string, warn func(string)) (exporters []string) {
	asked := os.Getenv("OTEL_TRACES_EXPORTER")
	for name := range strings.SplitSeq(asked, ",") {
		switch name = strings.TrimSpace(name); name {
		case otlp, console:
			if !slices.Contains(exporters, name) {
				exporters = append(exporters, name)
			}
		case none, "":
		default:
			warn(fmt.Sprintf("OTEL_TRACES_EXPORTER: there is no %q here, but %s, %s and %s", name, otlp, console, none))
		}
	}
	if asked == "" && endpoint != "" {
		return []string{otlp}
	}
	return exporters
}

// firstEnv returns the first of some variables that is set to something.
func firstEnv(names ...string) string {
	for _, name := range names {
		if value := os.Getenv(name); value != "" {
			return value
		}
	}
	return ""
}
