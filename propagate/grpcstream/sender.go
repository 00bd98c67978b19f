// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/sentinel"
)

// SendStream is the sending side of a stream of gRPC. All generated types of streams that
// can send several messages have its methods.
type SendStream[M any] interface {
	// Send sends a message.
	Send(message *M) error
	// SendMsg sends a message of any type that the codec of the stream takes.
	SendMsg(message any) error
}

// Sender sends messages on a stream, each with a trace of its own. Make it with
// [NewSender].
//
// The rules of the stream hold for its Sender too: one goroutine sends at a time, while
// another one may receive. A send blocks while the stream's flow control does, and its
// errors are those of the stream: on a client it is io.EOF if the stream has ended, and
// then to receive tells why.
type Sender[M any] struct {
	stream  SendStream[M]
	carry   header.CarryPolicy
	counts  *Counts
	support *support
}

// NewSender returns a Sender for a stream. It sends nothing. M follows from the stream.
func NewSender[M any](stream SendStream[M], opts ...Option) *Sender[M] {
	c := newConfig(opts)
	return &Sender[M]{
		stream: stream, carry: header.CarryPolicy(c.carry),
		counts: c.counters.or().stripe(), support: supportOf[M](),
	}
}

// Send sends message with the trace and the baggage of ctx. If ctx has neither, it sends
// what the stream's own Send would, and allocates nothing more. The context of an
// unsampled trace stays behind by default: see [WithCarryPolicy]. If message was received
// from a stream and still has the trace that it came with, that one is left out.
//
// ctx is used for nothing else. As with the stream's own Send, the context of the stream
// ends a send that is blocked.
//
// Send never changes message, and only reads it until it returns. So one message may be
// sent on many streams at the same time.
func (s *Sender[M]) Send(ctx context.Context, message *M) error {
	var room header.Header
	return s.send(s.carry.HeaderIn(ctx, &room), true, message)
}

// SendEnvelope sends the message of e with its header. It is for messages that were put
// into an envelope elsewhere, such as in front of a channel, or for one of the recipients
// of a fan-out. Otherwise it is like Send.
func (s *Sender[M]) SendEnvelope(e envelope.Envelope[*M]) error {
	return s.send((*header.Header)(e.Header()), false, e.Message())
}

// since returns how long a message has waited whose header is h.
func since(h *header.Header) time.Duration {
	if sent := h.SentAt(); !sent.IsZero() {
		return time.Since(sent)
	}
	return 0
}

// send sends message with h, which is not kept. If h is new, the message has not waited.
func (s *Sender[M]) send(h *header.Header, isNew bool, message *M) error {
	if s.support.typeErr != nil {
		return s.notWritten(h, message)
	}
	m := any(message).(proto.Message) //nolint:forcetypeassert // Or typeErr would say so.
	bare := !travels(h)
	if bare && !hasField(m.ProtoReflect().GetUnknown()) { // The common case.
		atomic.AddUint64(&s.counts.SentBare, 1)
		return s.stream.Send(message)
	}
	clean, vt := cleaned(m)
	if bare {
		atomic.AddUint64(&s.counts.SentBare, 1)
		return s.stream.SendMsg(clean.Interface())
	}
	var waited time.Duration
	if !isNew {
		waited = since(h)
	}
	return s.sendWrapped(newOutgoing(clean, vt), h, waited)
}

// SendEncoded sends the message of e with the header h, which may be nil. It is for a
// message to many streams: see [Encode]. Otherwise it is like Send.
func (s *Sender[M]) SendEncoded(e *Encoded[M], h *envelope.Header) error {
	head := (*header.Header)(h)
	if s.support.typeErr != nil {
		return s.notWritten(head, e.original)
	}
	if !travels(head) {
		atomic.AddUint64(&s.counts.SentBare, 1)
		return s.stream.SendMsg(e.bare)
	}
	return s.sendWrapped(e.wrapped(), head, since(head))
}

// travels reports whether there is anything of h to write. Of a recipient that a fan-out
// skipped, for instance, there is nothing.
func travels(h *header.Header) bool {
	if h == nil {
		return false
	}
	sc := h.SpanContext()
	return sc.IsValid() && !sentinel.Is(sc) || h.Baggage().Len() > 0
}

// sendWrapped sends o with h, of which something travels.
func (s *Sender[M]) sendWrapped(o wrapped, h *header.Header, waited time.Duration) error {
	b := o.base()
	var lossy bool
	if b.field, lossy = appendField(b.room[:0], h, waited); lossy {
		atomic.AddUint64(&s.counts.Dropped, 1)
	}
	err := s.stream.SendMsg(o)
	if err == nil && !b.written.Load() {
		atomic.AddUint64(&s.counts.SentBare, 1)
		atomic.AddUint64(&s.counts.NotWritten, 1)
		s.support.unwritten()
		return nil
	}
	atomic.AddUint64(&s.counts.SentWrapped, 1)
	return err
}

// notWritten sends a message that cannot carry a trace.
func (s *Sender[M]) notWritten(h *header.Header, message *M) error {
	if travels(h) {
		atomic.AddUint64(&s.counts.NotWritten, 1)
	}
	atomic.AddUint64(&s.counts.SentBare, 1)
	return s.stream.Send(message)
}
