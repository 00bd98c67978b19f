// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

var _ sdktrace.SpanProcessor = (*Console)(nil)

// OnStart does nothing.
func (c *Console) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd keeps a span that has ended, also one that is recorded and not sampled. The console
// holds the span itself, and lets it go when there is no more room. OnEnd does not wait for
// anybody who looks at the console. If more than about 20,000 spans of the SDK end in a
// second, it takes a share of the traces only, and counts the spans of the others as dropped.
func (c *Console) OnEnd(span sdktrace.ReadOnlySpan) { c.traces.Add(span) }

// ForceFlush does nothing, because spans are kept at once.
func (c *Console) ForceFlush(context.Context) error { return nil }

// Shutdown ends the streams of events to all browsers, and refuses new ones. What is kept
// can still be seen, and spans are still taken. The SDK calls it when a tracer provider that
// has the console is shut down. It does not wait.
func (c *Console) Shutdown(context.Context) error {
	c.streams.end()
	return nil
}
