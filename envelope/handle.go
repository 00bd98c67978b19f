// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/failure"
	"github.com/waybill-go/waybill/internal/guard"
)

// Handler returns a function that handles one message as a loop body of
// [Receive] would, for messages that do not come out of one channel of
// envelopes: where a loop selects from several, or opens what it gets with
// [From]. Make it once, before the loop.
//
// The function calls handle and returns its error. The context that handle gets
// is ctx, with the message's trace and baggage in place of ctx's. Around the
// handling of a message with a sampled trace runs a span called name, just as
// around a body of Receive's; an error sets its status and is recorded.
// An untraced message is handled without a span, with the [Sentinel] in its
// context, and without an allocation. The end of ctx does not keep the function
// from calling handle, which finds its context ended.
//
// The function may be called by any number of goroutines at the same time if
// handle may. The name should have few distinct values. Handler panics without a
// handle.
func Handler[M any](
	ctx context.Context, name string, handle func(context.Context, M) error, opts ...ReceiveOption,
) func(Envelope[M]) error {
	if handle == nil {
		panic("envelope: Handler without a handle")
	}
	r := newReceiver(ctx, name, opts)
	handle = recordingErrors(handle)
	return func(e Envelope[M]) error { return deliver(r, e, handle) }
}

// recordingErrors returns handle, which now records its error onto the span of
// its context.
func recordingErrors[A any](handle func(context.Context, A) error) func(context.Context, A) error {
	return func(ctx context.Context, argument A) error {
		err := handle(ctx, argument)
		if err == nil {
			return nil
		}
		guard.Do(func() {
			if span := trace.SpanFromContext(ctx); span.IsRecording() {
				failure.Error(span, err)
			}
		})
		return err
	}
}
