// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/mailbox"
)

// order is a message of this row. If it has a gate, its handler waits for that.
type order struct {
	message

	gate <-chan struct{}
}

// What the spans of the process that handles orders say of it.
const (
	orderKind = "receiver"
	orderID   = "41"
	orderType = "order"
)

// sampledRow measures the handling of a message whose trace is sampled.
//
// Both sides have the same process with the same handler. On our side, the messages are
// sent from a sampled span, and the library makes their spans. On the raw side, the
// messages are sent without a trace, and the handler makes an equal span by hand: it
// calls the SDK's start and end below a parent context that was made once. So the
// mailbox is on both sides, and only our side reads the header, makes a context for
// each message, and finds names and attributes. The sending is not timed. A process is
// held up and gets a load of messages, and the clock runs from its release until all
// are handled. The allocations include those of the sending, which makes one header on
// our side. ours-untraced is the mailbox's share of both sides.
func sampledRow(ratios ...ratio) row {
	with := func(t tracing) func(int) (*contender, error) {
		return func(int) (*contender, error) {
			otel := newTelemetry(t)
			spans := 0
			if t == sampled {
				spans = 1
			}
			return handling(otel.ctx, otel, spans, func() {})
		}
	}
	return row{
		name: "sampled", about: "the handling of a sampled message; raw is an untraced one and the SDK's span by hand",
		size: 1, ratios: ratios,
		variants: []variant{
			{raw, byHand},
			{oursUntraced, with(untraced)},
			{oursSampled, with(sampled)},
		},
	}
}

// byHand is the raw side, where the handler makes the span.
func byHand(int) (*contender, error) {
	otel, sent := newTelemetry(sampled), time.Now()
	parent := trace.ContextWithSpanContext(context.Background(), trace.SpanContextFromContext(otel.ctx))
	return handling(context.Background(), otel, 1, func() {
		now := time.Now()
		_, span := otel.tracer.Start(parent, orderKind+" "+orderType,
			trace.WithSpanKind(trace.SpanKindConsumer),
			trace.WithTimestamp(now),
			trace.WithAttributes(
				keys.ProcessKind.String(orderKind),
				keys.MessageType.String(orderType),
				keys.ProcessID.String(orderID),
				keys.QueueDuration.Float64(now.Sub(sent).Seconds())))
		span.End()
	})
}

// handling returns a process that calls do for each message that is sent with ctx. Each
// message should have the given number of spans.
func handling(ctx context.Context, otel *telemetry, spans int, do func()) (*contender, error) {
	t := newTally()
	sys := mailbox.NewSystem(mailbox.WithTracerProvider(otel.provider))
	kind, err := mailbox.NewKind[order](sys, orderKind, mailbox.WithCapacity(sendCapacity+1))
	if err != nil {
		return nil, err
	}
	to, err := kind.Spawn(orderID, func(_ context.Context, o order) error {
		if o.gate != nil {
			<-o.gate
			return nil
		}
		do()
		t.take()
		return nil
	})
	if err != nil {
		return nil, err
	}
	var spent time.Duration
	load := func(messages int) error {
		gate := make(chan struct{})
		err := to.Send(context.Background(), order{gate: gate})
		for i := 0; i < messages && err == nil; i++ {
			err = to.Send(ctx, order{message: message{id: i, text: "hello"}})
		}
		if err != nil {
			close(gate)
			return err // The messages that were not sent would never be handled.
		}
		t.expect(messages)
		start := time.Now()
		close(gate)
		t.wait()
		spent += time.Since(start)
		return nil
	}
	return &contender{
		run: func(times int) error {
			for times > 0 {
				messages := min(times, sendCapacity)
				if err := load(messages); err != nil {
					return err
				}
				times -= messages
			}
			return nil
		},
		timed:   func() time.Duration { return spent },
		handled: t.handled,
		tear:    func() error { return sys.Shutdown(context.Background()) },
		traces:  otel, spans: [2]int{spans, spans},
	}, nil
}
