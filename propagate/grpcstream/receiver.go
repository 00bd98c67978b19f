// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/handling"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/scope"
	"github.com/waybill-go/waybill/internal/wireform"
)

// RecvStream is the receiving side of a stream of gRPC. All generated types of streams that
// can receive several messages have its methods.
type RecvStream[M any] interface {
	// Recv receives a message.
	Recv() (*M, error)
	// Context returns the context of the stream.
	Context() context.Context
}

// Receiver receives the messages of a stream, each with its own trace. Make it with
// [NewReceiver].
//
// The rules of the stream hold for its Receiver too: one goroutine receives at a time,
// while another one may send.
type Receiver[M any] struct {
	stream   RecvStream[M]
	name     string
	boundary propagation.TextMapPropagator
	tracer   trace.Tracer
	counts   *Counts
	support  *support

	base       context.Context //nolint:containedctx // The stream's, without its trace; nil until a message has come.
	bareBase   context.Context //nolint:containedctx // The same for bare messages.
	ownTrace   bool
	streamSpan trace.Span // Of the stream, if there is one.
	err        error      // The end of the stream.
}

// NewReceiver returns a Receiver for a stream, whose spans are called name. It receives
// nothing. M follows from the stream. The name should have few distinct values.
func NewReceiver[M any](stream RecvStream[M], name string, opts ...Option) *Receiver[M] {
	c := newConfig(opts)
	return &Receiver[M]{
		stream: stream, name: name, boundary: c.boundary,
		tracer: scope.Tracer(c.provider, "propagate/grpcstream"),
		counts: c.counters.or().stripe(), support: supportOf[M](), ownTrace: c.ownTrace,
	}
}

// Receive ranges over the messages of the stream, until the stream ends. Then [Receiver.Err]
// says how it ended. The context of each loop body is the context of the stream, with the
// trace and the baggage of the message in place of the stream's. It ends with the stream.
//
// If the message has a sampled trace, the body runs in a span of kind CONSUMER, which is a
// child of the span of the message's sender. It has a link to the span of the stream, if
// there is one that is sampled. Its attributes tell two times of waiting apart:
//
//   - waybill.queue.duration is how long the message waited with its sender, in seconds:
//     from when its header was made until it was encoded. Both times are of the sender's
//     clock. It is 0 after [Sender.Send], which does both at once.
//   - waybill.network.duration is how long it took from there until it was received, in
//     seconds. It includes the flow control and the buffers of gRPC, in which a message
//     waits while the loop body before it runs. It is the difference of two clocks, which
//     waybill.clocks.crossed says. If the sender's clock is ahead by more than that time,
//     it is 0, and never less.
//
// If the sender is a sampled recipient of a fan-out, the span also says how many it stands
// for. The span ends with the body, even if the body breaks, returns, panics or calls
// [runtime.Goexit]. A panic sets the status of the span, is recorded with its whole stack,
// and goes on. If a sampler or a span processor panics, the span is lost but not the
// message.
//
// If a boundary has linked the trace of a message, the span is a root with that link, and
// says nothing of waiting. The body of a bare message, and of one whose field is
// malformed, runs without a span, with the [envelope.Sentinel] in its context. For these
// nothing is allocated but the message. [envelope.RecordError] records an error of a body on
// the span.
//
// If the body breaks off, the stream goes on, and Receive may be called again. To end the
// stream is up to whoever has opened it.
func (r *Receiver[M]) Receive() iter.Seq2[context.Context, *M] {
	return func(yield func(context.Context, *M) bool) {
		for {
			message, a, err := r.next(header.OfOne)
			if err != nil || !r.deliver(a, message, yield) {
				return
			}
		}
	}
}

// Recv receives one message, in an envelope with its header. It is for messages that are
// handled elsewhere, such as by the goroutines behind a channel: handle the envelope with
// [envelope.Receive], [envelope.Handler] or [envelope.Envelope.Unwrap]. It makes no span.
// The error is that of the stream's own Recv, which at an orderly end is [io.EOF].
func (r *Receiver[M]) Recv() (envelope.Envelope[*M], error) {
	message, a, err := r.next(header.Of)
	return envelope.New(message, (*envelope.Header)(a.header)), err
}

// Err says how the stream ended. It is nil as long as the stream has not ended, and if its
// peer has ended it in order. Otherwise it is the error of the stream, a status of gRPC.
// If that is codes.Canceled or codes.DeadlineExceeded, Err also is [context.Canceled] or
// [context.DeadlineExceeded] to [errors.Is]. Only the goroutine that receives may call it.
func (r *Receiver[M]) Err() error {
	if errors.Is(r.err, io.EOF) {
		return nil
	}
	return r.err
}

// next receives a message, whose header of makes.
func (r *Receiver[M]) next(of func(header.Content) *header.Header) (*M, arrival, error) {
	message, err := r.stream.Recv()
	if err != nil {
		r.err = ended(err)
		return nil, arrival{}, err
	}
	if r.base == nil {
		r.begin()
	}
	return message, r.take(message, of), nil
}

// begin prepares for the first message. The context of a client's stream must not be asked
// for earlier, because that would turn retries off.
func (r *Receiver[M]) begin() {
	ctx := r.stream.Context()
	r.streamSpan = trace.SpanFromContext(ctx)
	r.base = handling.Without(header.Untraced(ctx))
	r.bareBase = r.base
	if r.ownTrace && r.streamSpan.SpanContext().IsValid() {
		r.bareBase = handling.Without(ctx)
	}
}

// arrival is what a message has brought with it.
type arrival struct {
	bare   bool      // There was no field.
	at     time.Time // Not known if bare, nor if the field is malformed.
	header *header.Header
	waited time.Duration // With its sender.
}

// take takes the field out of message, which nobody else has yet.
func (r *Receiver[M]) take(message *M, of func(header.Content) *header.Header) (a arrival) {
	if r.support.typeErr != nil {
		atomic.AddUint64(&r.counts.Bare, 1)
		atomic.AddUint64(&r.counts.NotReadable, 1)
		return arrival{bare: true}
	}
	m := any(message).(proto.Message).ProtoReflect() //nolint:forcetypeassert // Or typeErr would say so.
	unknown := m.GetUnknown()
	if len(unknown) == 0 {
		r.bare()
		return arrival{bare: true}
	}
	rest, value, found, ok := extract(unknown)
	if found == 0 {
		r.bare()
		return arrival{bare: true}
	}
	atomic.AddUint64(&r.counts.Wrapped, 1)
	if !ok || found > 1 || value == nil {
		atomic.AddUint64(&r.counts.Malformed, 1)
	} else {
		a = r.open(value, of)
	}
	m.SetUnknown(rest)
	return a
}

// bare counts a message without a field.
func (r *Receiver[M]) bare() {
	atomic.AddUint64(&r.counts.Bare, 1)
	if r.support.codecErr() != nil {
		atomic.AddUint64(&r.counts.NotReadable, 1)
	}
}

// open reads the content of a field.
func (r *Receiver[M]) open(content []byte, of func(header.Content) *header.Header) arrival {
	var c wireform.Contents
	waited, ok := readContent(content, &c)
	if !ok {
		atomic.AddUint64(&r.counts.Malformed, 1)
		return arrival{}
	}
	now := time.Now()
	h := c.Header(now, r.boundary, of)
	dropped := c.Bad()
	if waited == notKnown {
		dropped++
	}
	if dropped > 0 {
		atomic.AddUint64(&r.counts.Dropped, dropped)
	}
	return arrival{at: now, header: h, waited: waited}
}

// ended returns err as Err returns it.
func ended(err error) error {
	switch status.Code(err) {
	case codes.Canceled:
		return endError{err, context.Canceled}
	case codes.DeadlineExceeded:
		return endError{err, context.DeadlineExceeded}
	default:
		return err
	}
}

// endError is the status of a stream that is also an error of a context.
type endError struct{ status, context error }

func (e endError) Error() string   { return e.status.Error() }
func (e endError) Unwrap() []error { return []error{e.status, e.context} }
