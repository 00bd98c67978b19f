// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/internal/traces/explain"
)

// Instances are told apart where there are several of a service, and only there.
func TestOrigins(t *testing.T) {
	const pod, other = "session-7d9f8b6c5-x2x4z", "session-7d9f8b6c5-k8q9w"
	for name, test := range map[string]struct {
		instances []string // of service session; empty for a span that does not say
		want      []string
	}{
		"none":                        {[]string{"", ""}, []string{"session", "session"}},
		"one":                         {[]string{"node-1", "node-1"}, []string{"session", "session"}},
		"several":                     {[]string{"node-1", "node-2"}, []string{"session node-1", "session node-2"}},
		"some do not say":             {[]string{"node-1", ""}, []string{"session node-1", "session"}},
		"long names that end apart":   {[]string{pod, other}, []string{"session …c5-x2x4z", "session …c5-k8q9w"}},
		"long names that end alike":   {[]string{"one-" + pod, "two-" + pod}, []string{"session one-" + pod, "session two-" + pod}},
		"characters of several bytes": {[]string{strings.Repeat("é", 13), "a"}, []string{"session …éééééééé", "session a"}},
	} {
		t.Run(name, func(t *testing.T) {
			spans := []tracetest.SpanStub{span(1, 0, server, "post", 0, 100, in("api", attribute.String("service.instance.id", "api-1")))}
			for i, instance := range test.instances {
				var more []attribute.KeyValue
				if instance != "" {
					more = append(more, attribute.String("service.instance.id", instance))
				}
				spans = append(spans, span(2+i, 1, consumer, "session M", float64(10+i), 90, in("session", more...)))
			}
			var origins []string
			for _, n := range explain.Tree(snapshots(spans...)) {
				origins = append(origins, n.Origin)
				if n.Parent >= 0 {
					assert.Equal(t, "session", n.Service)
				}
			}
			assert.Equal(t, append([]string{"api"}, test.want...), origins)
		})
	}
}

// A stranger may name any number of instances.
func TestManyInstances(t *testing.T) {
	const many = 20_000
	spans := []tracetest.SpanStub{span(1, 0, server, "post", 0, 100)}
	for i := range many {
		id := attribute.String("service.instance.id", fmt.Sprintf("%08d-instance", i))
		spans = append(spans, span(2+i, 1, consumer, "session M", 1, 2, in("session", id)))
	}
	origins := map[string]bool{}
	for _, n := range explain.Tree(snapshots(spans...)) {
		origins[n.Origin] = true
	}
	assert.Len(t, origins, many+1)
}
