// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package caller keeps the caller that a boundary links to in a context. The caller's
// trace is not continued: the first span here has a link to the caller's span. All
// packages that read traces from others use it.
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

// Caller is the caller that a boundary links to. It never changes.
type Caller struct {
	link  trace.Link
	local trace.SpanContext // The span that was in the context before; not valid if there was none.
}

// New returns the caller with the span context remote, without its tracestate. The span
// that is in ctx is the local one.
func New(ctx context.Context, remote trace.SpanContext) *Caller {
	return &Caller{
		link: trace.Link{
			SpanContext: remote.WithTraceState(trace.TraceState{}).WithRemote(true),
			Attributes:  callerReason,
		},
		local: trace.SpanContextFromContext(ctx),
	}
}

// For returns the same caller with the span that is in ctx as the local one.
func (c *Caller) For(ctx context.Context) *Caller {
	return &Caller{link: c.link, local: trace.SpanContextFromContext(ctx)}
}

type key struct{}

// With returns ctx with c, or without a caller if c is nil.
func With(ctx context.Context, c *Caller) context.Context {
	if c == nil && Of(ctx) == nil {
		return ctx
	}
	return context.WithValue(ctx, key{}, c)
}

// Of returns the caller in ctx, nil if there is none.
func Of(ctx context.Context) *Caller {
	c, _ := ctx.Value(key{}).(*Caller)
	return c
}

// Link returns a link to the caller's span. Its attributes belong to whoever calls
// Link.
func (c *Caller) Link() trace.Link {
	link := c.link
	link.Attributes = slices.Clone(link.Attributes)
	return link
}

// First reports whether a span that is started in ctx is the first one below the
// boundary. It compares identifiers only, because instrumentation of gRPC marks the
// span that it finds as remote.
func (c *Caller) First(ctx context.Context) bool {
	current := trace.SpanContextFromContext(ctx)
	return current.SpanID() == c.local.SpanID() && current.TraceID() == c.local.TraceID()
}

// Options appends to opts what makes the first span a root with a link to the caller's
// span, and with a link to the span that was in the context before.
func (c *Caller) Options(opts []trace.SpanStartOption) []trace.SpanStartOption {
	opts = append(slices.Clip(opts), trace.WithLinks(c.link))
	// Without a parent the span is a root anyway, and the option would hide from the
	// sampler what somebody has put into the context for it.
	if c.local.IsValid() {
		opts = append(opts, trace.WithNewRoot(),
			trace.WithLinks(trace.Link{SpanContext: c.local, Attributes: localReason}))
	}
	return opts
}
