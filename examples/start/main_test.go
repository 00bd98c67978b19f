// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
)

// started is the argument with which the test's program is the example's.
const started = "start"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == started {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// printed is a span or a set of metrics.
type printed struct {
	Name        string
	SpanContext struct{ TraceID, SpanID string }
	Parent      struct{ SpanID string }

	ScopeMetrics []struct {
		Metrics []struct{ Name string }
	}
}

// TestProgram runs the program, because OpenTelemetry's exporters write to the standard
// output that there is when it starts.
func TestProgram(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	output, err := exec.CommandContext(t.Context(), self, started).Output()
	require.NoError(t, err)

	spans, metrics := map[string]printed{}, map[string]bool{}
	greetings := 0
	for line := range bytes.Lines(output) {
		if string(line) == "hello, world\n" {
			greetings++
			continue
		}
		var p printed
		require.NoError(t, json.Unmarshal(line, &p), string(line))
		if p.Name != "" {
			spans[p.Name] = p
		}
		for _, scope := range p.ScopeMetrics {
			for _, m := range scope.Metrics {
				metrics[m.Name] = true
			}
		}
	}
	assert.Equal(t, 1, greetings)
	require.Len(t, spans, 2)
	request, handling := spans["request"], spans["greeter string"]
	assert.Equal(t, trace.SpanID{}.String(), request.Parent.SpanID)
	assert.Equal(t, request.SpanContext.SpanID, handling.Parent.SpanID)
	assert.Equal(t, request.SpanContext.TraceID, handling.SpanContext.TraceID)
	assert.True(t, metrics["waybill.mailbox.handled"])
}
