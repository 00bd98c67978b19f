// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"

	"github.com/waybill-go/waybill/internal/failure"
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/handling"
)

// Handler returns a function that handles one message as a loop body of [Receive] would. It is
// for messages that do not come out of one channel of envelopes: if a loop selects from several
// channels, or opens what it gets with [From]. Make it once, before the loop.
//
// The function calls handle and returns its error. The context of handle is ctx, with the
// message's trace and baggage in place of its own. If the message has a sampled trace, it is
// handled in a span called name, as in Receive. An error sets the status of the span and is
// recorded on it. An untraced message is handled without a span, with the [Sentinel] in its
// context, and without an allocation. If ctx has ended, the function still calls handle, which
// finds its context ended.
//
// Any number of goroutines may call the function at the same time, if they may call handle. The
// name should have few distinct values. Handler panics if handle is nil.
func Handler[M any](
	ctx context.Context, name string, handle func(context.Context, M) error, opts ...ReceiveOption,
) func(Envelope[M]) error {
	if handle == nil {
		panic("envelope: Handler without a handle")
	}
	r := newReceiver(ctx, name, opts)
	handle = recordingErrors(handle)
	if r.totals != nil {
		return func(e Envelope[M]) error { return deliverMeasured(r, e, handle) }
	}
	return func(e Envelope[M]) error { return deliver(r, e, handle) }
}

// recordingErrors returns a function that calls handle and records its error on the span in
// which the message is handled.
func recordingErrors[A any](handle func(context.Context, A) error) func(context.Context, A) error {
	return func(ctx context.Context, argument A) error {
		err := handle(ctx, argument)
		if err != nil {
			RecordError(ctx, err)
		}
		return err
	}
}

// RecordError records err on the span in which a message is handled: it sets the status of the
// span to Error and adds an exception event, as a [Handler] does with the error of its handle.
// It is for loop bodies of [Receive], which return nothing.
//
// ctx is the context of the body, or one derived from it. If the body has started a span of
// its own and ctx is of that one, err is recorded on the message's span all the same. For a
// message that is handled without a span, for a context from elsewhere, and for a nil err,
// RecordError does nothing. After the body has ended there is nothing left to record on. Any
// number of goroutines may call it.
func RecordError(ctx context.Context, err error) {
	if ctx == nil || err == nil {
		return
	}
	span := handling.SpanOf(ctx)
	if span == nil {
		return
	}
	guard.Do(func() {
		if span.IsRecording() {
			failure.Error(span, err)
		}
	})
}
