// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/delivered"
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/mailbox"
)

// Delivery is a message as a handler gets it.
type Delivery[M any] struct {
	Message M
	// Attempt is how many times the message was given to a handler, with this one: from 1 to
	// MaxDeliver of the [Config].
	Attempt int
	// Redelivered says that the stream has delivered the message before, so some or all of
	// its handling may have happened already.
	Redelivered bool
	Subject     string    // that it was published to
	Sequence    uint64    // of the message in its stream
	Stored      time.Time // when the stream stored it, by the server's clock
}

// Item is what is in the mailbox of a process that handles deliveries. Only [Handler] can
// read it.
type Item[M any] struct{ d *delivery[M] }

var errNoItem = errors.New("durable: an Item that no Consumer has sent")

// Handler makes a handler for a process that a [Consumer] sends deliveries to. When handle
// returns nil, the message is acknowledged. If handle fails or panics, or if the process ends
// before it comes to that message, the message is delivered again.
//
// The context has the trace of whoever published the message, and the span says which attempt
// it is. A redelivered message's span links to that of the handling that failed.
func Handler[M any](handle func(ctx context.Context, d Delivery[M]) error) mailbox.Handler[Item[M]] {
	if handle == nil {
		panic("durable: no handler")
	}
	return func(ctx context.Context, item Item[M]) error {
		d := item.d
		if d == nil {
			return errNoItem
		}
		if !d.begin(ctx) {
			return nil // It was handed back, and is no longer ours to handle.
		}
		err := handle(ctx, d.public())
		if err == nil {
			d.consumer.handled(d)
		}
		return err // If it is an error or a panic, Failed is called.
	}
}

// phase is how far a delivery is.
type phase int

const (
	waiting  phase = iota // for its handler
	begun                 // its handler has it
	settling              // what became of it is being told
	again                 // the server is told to deliver it again, and may do so at once
	released              // done with
)

// delivery is a message that a Consumer has taken and is not done with.
type delivery[M any] struct {
	consumer *Consumer[M]

	message    M
	header     *header.Header
	subject    string
	sequence   uint64
	deliveries uint64
	stored     time.Time

	attempt int
	earlier past              // what is known of earlier deliveries
	span    trace.SpanContext // of the handling; the worker's, and then of who settles it

	// Guarded by the mu of the consumer.
	msg      *nats.Msg // as it was delivered last
	extended time.Time // when the server last heard of it
	repeated uint64    // deliveries that came while it was held, which no handler has had
	phase    phase
}

func (d *delivery[M]) public() Delivery[M] {
	return Delivery[M]{
		Message: d.message, Attempt: d.attempt, Redelivered: d.deliveries > 1,
		Subject: d.subject, Sequence: d.sequence, Stored: d.stored,
	}
}

// begin notes that the handler has the message, and tells the handling's span about it. It
// reports false if the message was handed back.
func (d *delivery[M]) begin(ctx context.Context) bool {
	c := d.consumer
	c.mu.Lock()
	mine := d.phase == waiting
	if mine {
		d.phase = begun
	}
	c.mu.Unlock()
	if span := trace.SpanFromContext(ctx); mine && span.IsRecording() {
		d.span = span.SpanContext()
		guard.Do(func() { d.describe(span) })
	}
	return mine
}

var redeliveryLink = []attribute.KeyValue{keys.LinkReason.String("redelivery")}

// describe tells span which delivery it handles.
func (d *delivery[M]) describe(span trace.Span) {
	span.SetAttributes(
		keys.DeliveryAttempt.Int(d.attempt),
		semconv.MessagingSystemKey.String("nats"),
		semconv.MessagingDestinationName(d.subject),
		semconv.MessagingConsumerGroupName(d.consumer.queue.config.Consumer),
	)
	if failed := d.earlier.failed(); failed.IsValid() {
		span.AddLink(trace.Link{SpanContext: failed, Attributes: redeliveryLink})
	}
}

// MessageType implements delivered.Message.
func (i Item[M]) MessageType() reflect.Type {
	t := reflect.TypeFor[M]()
	if t.Kind() == reflect.Interface && i.d != nil {
		t = reflect.TypeOf(i.d.message)
	}
	return t
}

// Failed implements delivered.Message.
func (i Item[M]) Failed(err error) {
	if i.d != nil {
		i.d.consumer.failed(i.d, err)
	}
}

// Dead implements delivered.Message.
func (i Item[M]) Dead(err error) {
	if i.d != nil {
		i.d.consumer.dead(i.d, err)
	}
}

var _ delivered.Message = Item[int]{}
