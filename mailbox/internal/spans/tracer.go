// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package spans

import (
	"context"
	"reflect"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/broadcast"
	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/keys"
)

// Tracer makes the spans of one system. Make one with [New]. It may be used by any
// number of goroutines.
type Tracer struct {
	tracer  trace.Tracer
	base    context.Context //nolint:containedctx // What late spans' contexts begin with.
	limit   ChainLimit
	fanouts fanoutCache
}

// New returns what makes spans with tracer and cuts traces at limit. base is the context
// of an untraced message.
func New(base context.Context, tracer trace.Tracer, limit ChainLimit) *Tracer {
	return &Tracer{tracer: tracer, base: base, limit: limit.withDefaults()}
}

// Kind makes the spans of the processes of one kind.
type Kind struct {
	tracer *Tracer
	name   string
	totals *Totals
	byType sync.Map // *messageNames by reflect.Type
}

// Kind returns what makes the spans of processes of the kind called name. totals is what
// it shares with other kinds of that name.
func (t *Tracer) Kind(name string, totals *Totals) *Kind {
	return &Kind{tracer: t, name: name, totals: totals}
}

// Message is a message to a process, as its spans describe it.
type Message struct {
	Kind    *Kind          // of the process
	Process string         // the ID of the process; may be empty
	Type    reflect.Type   // of the message; nil for a nil message of an interface type
	Header  *header.Header // of the message
	Awaited bool           // a caller waits for the handling
	Served  bool           // the caller is on another machine
}

// attributes describes the message and what it stands for, with room for five more.
func (m *Message) attributes(names *messageNames, f fanout.Fanout) []attribute.KeyValue {
	room := 8
	if f.Depth > 0 {
		room = 13
	}
	return m.describe(make([]attribute.KeyValue, 0, room), names, f)
}

// describe appends what describes the message and what it stands for.
func (m *Message) describe(
	attrs []attribute.KeyValue, names *messageNames, f fanout.Fanout,
) []attribute.KeyValue {
	attrs = append(attrs, keys.ProcessKind.String(m.Kind.name), keys.MessageType.String(names.message))
	if m.Process != "" {
		attrs = append(attrs, keys.ProcessID.String(m.Process))
	}
	if took, remote := m.Header.Network(); remote {
		attrs = append(attrs, keys.NetworkDuration.Float64(took.Seconds()), keys.ClocksCrossed.Bool(true))
	}
	return f.Attributes(attrs)
}

// spanKind returns the kind of the message's span: the handling that a caller waits for
// is INTERNAL, or SERVER for a caller on another machine; CONSUMER means that nobody waits.
func (m *Message) spanKind() trace.SpanStartOption {
	switch {
	case m.Served:
		return serverKind
	case m.Awaited:
		return internalKind
	default:
		return consumerKind
	}
}

var (
	internalKind = trace.WithSpanKind(trace.SpanKindInternal)
	serverKind   = trace.WithSpanKind(trace.SpanKindServer)
	consumerKind = trace.WithSpanKind(trace.SpanKindConsumer)
)

// StartBroadcast starts a broadcast to the group of that name, as [broadcast.Start] does.
func (t *Tracer) StartBroadcast(
	ctx context.Context, group string, carry header.CarryPolicy, linked bool,
) (context.Context, *broadcast.Broadcast) {
	return broadcast.Start(ctx, t.tracer, group, carry, linked)
}

func fanoutOf(sc trace.SpanContext) fanout.Fanout { return fanout.FromTraceState(sc.TraceState()) }
