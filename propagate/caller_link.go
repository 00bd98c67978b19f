// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/caller"
)

// CallerLink returns a link to the span of the caller that a [Boundary] has put
// aside by its policy [Link], for those who start the first span themselves, or
// add the link to one that was started without. It reports false if there is no
// such caller. The link has the attribute waybill.link.reason, which is
// "boundary", and no tracestate.
//
// A context keeps it for all that is derived from it, also below the first
// span, until the next extraction at a boundary.
func CallerLink(ctx context.Context) (trace.Link, bool) {
	if c := caller.Of(ctx); c != nil {
		return c.Link(), true
	}
	return trace.Link{}, false
}

// TracerProvider returns a provider for the instrumentation of a listener with
// this boundary, beside the boundary itself. Its spans are those of provider. What
// it starts right below an extraction by a boundary with the policy [Link] is a
// root, and has a link to the caller's span as from [CallerLink]; and one to
// the span that was in the context before, if there was one, with "local" as
// its reason. What is started below such a span is started as ever. If the
// policy is another one, the result is provider itself.
//
// Some instrumentation takes its provider from a span in the context if it was
// given none: so give it this one, even if it is made of the global one.
func (b *Boundary) TracerProvider(provider trace.TracerProvider) trace.TracerProvider {
	if b.policy != Link {
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
