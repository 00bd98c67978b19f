// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// linkReason is what the links of all packages here call their reason.
const linkReason = attribute.Key("waybill.link.reason")

var (
	callerReason = []attribute.KeyValue{linkReason.String("border")}
	localReason  = []attribute.KeyValue{linkReason.String("local")}
)

// caller is whom a [Link] border has put aside in a context.
type caller struct {
	link  trace.Link
	local trace.SpanContext // That the context held already, if any.
}

type callerKey struct{}

func newCaller(ctx context.Context, remote trace.SpanContext) *caller {
	return &caller{
		link: trace.Link{
			SpanContext: remote.WithTraceState(trace.TraceState{}).WithRemote(true),
			Attributes:  callerReason,
		},
		local: trace.SpanContextFromContext(ctx),
	}
}

// withCaller puts c aside, or forgets an earlier one if c is nil.
func withCaller(ctx context.Context, c *caller) context.Context {
	if c == nil && callerOf(ctx) == nil {
		return ctx
	}
	return context.WithValue(ctx, callerKey{}, c)
}

func callerOf(ctx context.Context) *caller {
	c, _ := ctx.Value(callerKey{}).(*caller)
	return c
}

// first reports whether a span started in ctx is the first one below the
// border. Instrumentation of gRPC marks the span that it finds as remote, so
// only the identifiers count.
func (c *caller) first(ctx context.Context) bool {
	current := trace.SpanContextFromContext(ctx)
	return current.SpanID() == c.local.SpanID() && current.TraceID() == c.local.TraceID()
}

// CallerLink returns a link to the span of the caller that a [Border] has put
// aside by its policy [Link], for those who start the first span themselves, or
// add the link to one that was started without. It reports false if there is no
// such caller. The link has the attribute waybill.link.reason, which is
// "border", and no tracestate.
//
// A context keeps it for all that is derived from it, also below the first
// span, until the next extraction at a border.
func CallerLink(ctx context.Context) (trace.Link, bool) {
	if c := callerOf(ctx); c != nil {
		link := c.link
		link.Attributes = slices.Clone(link.Attributes)
		return link, true
	}
	return trace.Link{}, false
}

// TracerProvider returns a provider for the instrumentation of a listener with
// this border, beside the border itself. Its spans are those of provider. What
// it starts right below an extraction by a border with the policy [Link] is a
// root, and has a link to the caller's span as from [CallerLink]; and one to
// the span that was in the context before, if there was one, with "local" as
// its reason. What is started below such a span is started as ever. If the
// policy is another one, the result is provider itself.
//
// Some instrumentation takes its provider from a span in the context if it was
// given none: so give it this one, even if it is made of the global one.
func (b *Border) TracerProvider(provider trace.TracerProvider) trace.TracerProvider {
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
	c := callerOf(ctx)
	if c == nil || !c.first(ctx) {
		return t.Tracer.Start(ctx, name, opts...)
	}
	opts = append(slices.Clip(opts), trace.WithLinks(c.link))
	// Without a parent it is a root anyway, and the option would hide from the
	// sampler what somebody has put into the context for it.
	if c.local.IsValid() {
		opts = append(opts, trace.WithNewRoot(),
			trace.WithLinks(trace.Link{SpanContext: c.local, Attributes: localReason}))
	}
	return t.Tracer.Start(ctx, name, opts...)
}
