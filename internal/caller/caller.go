// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package caller keeps aside in a context whom a boundary links to: somebody whose
// trace is not continued, and to whose span the first one here has a link. It is
// below the packages that read traces from others, so that each can.
package caller

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/keys"
)

var (
	callerReason = []attribute.KeyValue{keys.LinkReason.String("boundary")}
	localReason  = []attribute.KeyValue{keys.LinkReason.String("local")}
)

// Caller is whom a boundary has put aside. It never changes.
type Caller struct {
	link  trace.Link
	local trace.SpanContext // That the context held already, if any.
}

// New returns the caller with the span context remote, of whose tracestate nothing
// is kept, for ctx and the span that is in it.
func New(ctx context.Context, remote trace.SpanContext) *Caller {
	return &Caller{
		link: trace.Link{
			SpanContext: remote.WithTraceState(trace.TraceState{}).WithRemote(true),
			Attributes:  callerReason,
		},
		local: trace.SpanContextFromContext(ctx),
	}
}

// For returns the same caller for ctx and the span that is in it.
func (c *Caller) For(ctx context.Context) *Caller {
	return &Caller{link: c.link, local: trace.SpanContextFromContext(ctx)}
}

type key struct{}

// With puts c aside in ctx, or forgets an earlier one if c is nil.
func With(ctx context.Context, c *Caller) context.Context {
	if c == nil && Of(ctx) == nil {
		return ctx
	}
	return context.WithValue(ctx, key{}, c)
}

// Of returns whom ctx has put aside, nil if that is nobody.
func Of(ctx context.Context) *Caller {
	c, _ := ctx.Value(key{}).(*Caller)
	return c
}

// Link returns a link to the caller's span, whose attributes are the receiver's own.
func (c *Caller) Link() trace.Link {
	link := c.link
	link.Attributes = slices.Clone(link.Attributes)
	return link
}

// First reports whether a span started in ctx is the first one below the boundary.
// Instrumentation of gRPC marks the span that it finds as remote, so only the
// identifiers count.
func (c *Caller) First(ctx context.Context) bool {
	current := trace.SpanContextFromContext(ctx)
	return current.SpanID() == c.local.SpanID() && current.TraceID() == c.local.TraceID()
}

// Options appends to opts what makes the first span a root with a link to the
// caller's, and with one to the span that the context held already.
func (c *Caller) Options(opts []trace.SpanStartOption) []trace.SpanStartOption {
	opts = append(slices.Clip(opts), trace.WithLinks(c.link))
	// Without a parent it is a root anyway, and the option would hide from the
	// sampler what somebody has put into the context for it.
	if c.local.IsValid() {
		opts = append(opts, trace.WithNewRoot(),
			trace.WithLinks(trace.Link{SpanContext: c.local, Attributes: localReason}))
	}
	return opts
}
