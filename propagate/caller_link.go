// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/caller"
)

// CallerLink returns a link to the span of the caller whom a [Boundary] with the policy
// [Link] has kept in ctx. It is for programs that start the first span themselves, or add
// the link to a span that was started without. It reports false if ctx has no such
// caller. The link has the attribute waybill.link.reason, which is "boundary", and no
// tracestate.
//
// All contexts that are derived from ctx have the caller too, also below the first span,
// until the next extraction at a boundary.
func CallerLink(ctx context.Context) (trace.Link, bool) {
	if c := caller.Of(ctx); c != nil {
		return c.Link(), true
	}
	return trace.Link{}, false
}

// TracerProvider returns a provider for the instrumentation of a listener with this
// boundary. Give the instrumentation both. The spans of the provider are those of the
// argument. With the policy [Link], a span that it starts right below an extraction is a
// root. It has a link to the caller's span, as from [CallerLink]. If the context had a
// span before, it has a link to that too, whose reason is "local". Spans below such a root
// are started as usual. With another policy the result is the argument itself.
//
// Some instrumentation takes its provider from a span in the context if it is given none.
// So give it this one, even if it is made of the global one.
func (b Boundary) TracerProvider(provider trace.TracerProvider) trace.TracerProvider {
	if b.Policy != Link {
		return provider
	}
	return linkingProvider{provider}
}

// linkingProvider and linkingTracer pass on what a later API adds.
type linkingProvider struct{ trace.TracerProvider }

func (p linkingProvider) Tracer(name string, opts ...trace.TracerOption) trace.Tracer {
	return linkingTracer{p.TracerProvider.Tracer(name, opts...)}
}

type linkingTracer struct{ trace.Tracer }

func (t linkingTracer) Start(
	ctx context.Context, name string, opts ...trace.SpanStartOption,
) (context.Context, trace.Span) {
	if c := caller.Of(ctx); c != nil && c.First(ctx) {
		opts = c.Options(opts)
	}
	return t.Tracer.Start(ctx, name, opts...)
}
