// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"reflect"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/delivered"
	"github.com/waybill-go/waybill/mailbox/internal/spans"
)

// describe returns what the spans of a message to p say of it.
func (p *process[M]) describe(s *slot[M]) spans.Message {
	return spans.Message{
		Kind: p.kind.spans, Process: p.id, Type: p.typeOf(s), Header: s.header,
		Awaited: s.call != nil, Served: s.call != nil && s.call.served,
	}
}

// startHandling starts the span of handling s.
func (p *process[M]) startHandling(ctx context.Context, s *slot[M]) (context.Context, trace.Span) {
	described := p.describe(s)
	return described.StartHandling(ctx, p.failedSpan())
}

// startCall starts the span of a call with s by a caller that is traced.
func (p *process[M]) startCall(ctx context.Context, s *slot[M]) (context.Context, trace.Span) {
	described := p.describe(s)
	return described.StartCall(ctx)
}

// lateReply returns what tells of a late answer to the call with s.
func (p *process[M]) lateReply(s *slot[M]) *spans.Message {
	described := p.describe(s)
	return &described
}

// typeOf returns the type of the message in s, its dynamic one if M is an interface: nil for
// a nil message then. For a message that stands for another one, it is the type of that.
func (p *process[M]) typeOf(s *slot[M]) reflect.Type {
	if p.kind.delivered {
		return any(s.message).(delivered.Message).MessageType() //nolint:forcetypeassert // As NewKind has seen.
	}
	t := reflect.TypeFor[M]()
	if t.Kind() == reflect.Interface {
		t = reflect.TypeOf(s.message)
	}
	return t
}

// failureOf returns what spans say of err, which may be nil. Only a *PanicError of our
// own, unwrapped, is of this handler.
func failureOf(err error, panicked bool) spans.Failure {
	f := spans.Failure{Err: err, Panicked: panicked}
	if own, ok := err.(*PanicError); ok && panicked { //nolint:errorlint // As it says.
		f.Value, f.Stack = own.Value, own.Stack
	}
	return f
}
