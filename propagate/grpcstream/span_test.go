// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/envelopetest"
	"github.com/waybill-go/waybill/internal/plugged"
	"github.com/waybill-go/waybill/propagate/grpcstream"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// pipe is a stream that returns what was sent on it, encoded and decoded.
type pipe struct {
	messages[note]

	delay time.Duration
}

func (p *pipe) Send(m *note) error { return p.SendMsg(m) }
func (p *pipe) SendMsg(m any) error {
	data, err := marshal(m)
	if err != nil {
		return err
	}
	into := new(note)
	p.left = append(p.left, into)
	time.Sleep(p.delay)
	return unmarshal(data, into)
}

// Waiting in front of the stream and on the way are told apart.
func TestWaitsAreToldApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		provider, spans := newProvider(t)
		p := &pipe{messages: messages[note]{ctx: t.Context()}, delay: 3 * time.Second}
		queued := envelope.Wrap(sampledContext(t), text("hello"))
		time.Sleep(2 * time.Second)
		require.NoError(t, grpcstream.NewSender(p).SendEnvelope(queued))
		p.end = errEnd
		collect(grpcstream.NewReceiver(p, "handle", grpcstream.WithTracerProvider(provider)))
		require.Len(t, spans.Ended(), 1)
		assert.Equal(t, []attribute.KeyValue{
			attribute.Float64("waybill.queue.duration", 2),
			attribute.Float64("waybill.network.duration", 3),
			attribute.Bool("waybill.clocks.crossed", true),
		}, spans.Ended()[0].Attributes())
	})
}

func TestBodiesThatDoNotReturn(t *testing.T) {
	for name, tt := range map[string]struct {
		body   func()
		status codes.Code
		events int
	}{
		"panic":  {func() { panic("in the body") }, codes.Error, 1},
		"goexit": {runtime.Goexit, codes.Unset, 0},
	} {
		t.Run(name, func(t *testing.T) {
			provider, spans := newProvider(t)
			r := grpcstream.NewReceiver(one(t, with(field(content(t, sampledContext(t), waited(1))))), "handle",
				grpcstream.WithTracerProvider(provider))
			recovered := make(chan any)
			go func() {
				defer func() { recovered <- recover() }()
				for range r.Receive() {
					tt.body()
				}
			}()
			if value := <-recovered; tt.status == codes.Error {
				assert.Equal(t, "in the body", value)
			}
			require.Len(t, spans.Ended(), 1)
			assert.Equal(t, tt.status, spans.Ended()[0].Status().Code)
			assert.Len(t, spans.Ended()[0].Events(), tt.events)
		})
	}
}

// Whatever is plugged in, no message is lost.
func TestPluggedInPanics(t *testing.T) {
	for name, provider := range plugged.Providers() {
		r := grpcstream.NewReceiver(one(t, with(field(content(t, sampledContext(t), waited(1))))), "handle",
			grpcstream.WithTracerProvider(provider))
		assert.Len(t, collect(r), 1, name)
	}
}

// A recipient that a fan-out skips gets a bare message.
func TestSkippedRecipientsGetBareMessages(t *testing.T) {
	hub, err := fanout.New("hub", fanout.WithSampling(sampling.GroupConfig{MaxSpans: 1}))
	require.NoError(t, err)
	b := hub.Begin(sampledContext(t), 100)
	defer b.End()
	encoded, err := grpcstream.Encode(text("hello"))
	require.NoError(t, err)
	var counters grpcstream.Counters
	p := &pipe{messages: messages[note]{ctx: t.Context(), end: errEnd}}
	to := grpcstream.NewSender(p, grpcstream.WithCounters(&counters))
	for i := range 100 {
		if h := b.Next(); i%2 == 0 {
			require.NoError(t, to.SendEncoded(encoded, h))
		} else {
			require.NoError(t, to.SendEnvelope(envelope.New(text("hello"), h)))
		}
	}
	assert.Len(t, collect(grpcstream.NewReceiver(p, "handle", grpcstream.WithCounters(&counters))), 100)
	assert.Equal(t, grpcstream.Counts{SentBare: 99, SentWrapped: 1, Bare: 99, Wrapped: 1}, counters.Counts())
}

// While peers are upgraded, their bare messages may keep the trace of the stream.
func TestStreamTrace(t *testing.T) {
	stream := envelopetest.WithBaggage(t, sampledContext(t), "acme")
	for name, tt := range map[string]struct {
		ctx     context.Context
		message *note
		want    trace.TraceID
	}{
		"bare":            {stream, text("hello"), spanContext(1).TraceID()},
		"untraced":        {stream, with(field(content(t, t.Context(), waited(0)))), trace.TraceID{}},
		"without a trace": {t.Context(), text("hello"), trace.TraceID{}},
		"with its own trace": {stream, with(field(content(t, trace.ContextWithSpanContext(t.Context(),
			spanContext(1).WithTraceID(trace.TraceID{7})), waited(0)))), trace.TraceID{7}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &messages[note]{tt.ctx, []*note{tt.message}, errEnd}
			all := collect(grpcstream.NewReceiver(s, "handle", grpcstream.WithStreamTrace()))
			require.Len(t, all, 1)
			if tt.want.IsValid() {
				assert.Equal(t, tt.want, all[0].span.TraceID())
			} else {
				assert.True(t, envelope.IsSentinel(all[0].span))
			}
			assert.Equal(t, tt.want == spanContext(1).TraceID(), all[0].baggage == "acme")
		})
	}
}

// The error of a body is recorded on the span of its message.
func TestErrorsAreRecorded(t *testing.T) {
	provider, spans := newProvider(t)
	r := grpcstream.NewReceiver(one(t, with(field(content(t, sampledContext(t), waited(1))))), "handle",
		grpcstream.WithTracerProvider(provider))
	for ctx := range r.Receive() {
		ctx, span := provider.Tracer("test").Start(ctx, "own")
		envelope.RecordError(ctx, errors.New("failed"))
		span.End()
	}
	require.Len(t, spans.Ended(), 2)
	assert.Equal(t, codes.Unset, spans.Ended()[0].Status().Code)
	assert.Equal(t, codes.Error, spans.Ended()[1].Status().Code)
}

// The carry policy decides what goes along.
func TestCarryPolicy(t *testing.T) {
	unsampled := trace.ContextWithSpanContext(t.Context(), spanContext(0))
	p := &pipe{messages: messages[note]{ctx: t.Context(), end: errEnd}}
	require.NoError(t, grpcstream.NewSender(p, grpcstream.WithCarryPolicy(envelope.CarryPolicy{Unsampled: true})).Send(unsampled, text("hello")))
	all := collect(grpcstream.NewReceiver(p, "handle"))
	require.Len(t, all, 1)
	assert.Equal(t, spanContext(0).TraceID(), all[0].span.TraceID())
}

func TestMetrics(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	var counters grpcstream.Counters
	registration, err := counters.RegisterMetrics(provider.Meter("test"), attribute.String("service", "push"))
	require.NoError(t, err)
	_, err = counters.RegisterMetrics(provider.Meter("test"), attribute.String("service", "push"))
	require.Error(t, err, "twice")
	_, err = counters.RegisterMetrics(nil)
	require.Error(t, err)

	p := &pipe{messages: messages[note]{ctx: t.Context(), end: errEnd}}
	to := grpcstream.NewSender(p, grpcstream.WithCounters(&counters))
	require.NoError(t, to.Send(sampledContext(t), text("hello")))
	require.NoError(t, to.Send(t.Context(), text("hello")))
	collect(grpcstream.NewReceiver(p, "handle", grpcstream.WithCounters(&counters)))

	var collected metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(context.Background(), &collected))
	values := map[string]int64{}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		point := m.Data.(metricdata.Sum[int64]).DataPoints[0]
		values[m.Name] = point.Value
		assert.Equal(t, 1, point.Attributes.Len())
	}
	assert.Equal(t, map[string]int64{
		"waybill.grpcstream.sent.bare": 1, "waybill.grpcstream.sent.wrapped": 1, "waybill.grpcstream.sent.not_written": 0,
		"waybill.grpcstream.received.bare": 1, "waybill.grpcstream.received.wrapped": 1,
		"waybill.grpcstream.received.not_readable": 0, "waybill.grpcstream.received.malformed": 0,
		"waybill.grpcstream.dropped": 0,
	}, values)
	require.NoError(t, registration.Unregister())
}

// A nil message is an empty one, as for the stream itself, and a nil option is none.
func TestNilMessages(t *testing.T) {
	p := &pipe{messages: messages[note]{ctx: t.Context(), end: errEnd}}
	to := grpcstream.NewSender(p, nil)
	require.NoError(t, to.Send(sampledContext(t), nil))
	require.NoError(t, to.Send(t.Context(), nil))
	encoded, err := grpcstream.Encode[note](nil)
	require.NoError(t, err)
	require.NoError(t, to.SendEncoded(encoded, envelope.NewHeader(sampledContext(t))))
	require.NoError(t, to.SendEncoded(encoded, nil))
	all := collect(grpcstream.NewReceiver(p, "handle", nil))
	require.Len(t, all, 4)
	for i, m := range all {
		assert.Empty(t, m.text)
		assert.Equal(t, i%2 == 0, m.span.IsSampled())
	}
}

// What cannot be encoded is refused by Encode, and by the stream with a trace and without.
func TestWhatCannotBeEncoded(t *testing.T) {
	_, err := grpcstream.Encode(text("\xff"))
	require.Error(t, err)
	to := grpcstream.NewSender(&pipe{messages: messages[note]{ctx: t.Context(), end: errEnd}})
	for _, ctx := range []context.Context{t.Context(), sampledContext(t)} {
		assert.Equal(t, err.Error(), to.Send(ctx, text("\xff")).Error())
	}
}

// What is beyond the limits is left out of the field, and counted. The message goes out.
func TestLargeHeadersAreCut(t *testing.T) {
	ctx := sampledContext(t)
	bag := baggage.Baggage{}
	for i := range 20 {
		member, err := baggage.NewMemberRaw(fmt.Sprint("key", i), strings.Repeat("x", 1000))
		require.NoError(t, err)
		bag, err = bag.SetMember(member)
		require.NoError(t, err)
	}
	var counters grpcstream.Counters
	p := &pipe{messages: messages[note]{ctx: t.Context(), end: errEnd}}
	to := grpcstream.NewSender(p, grpcstream.WithCounters(&counters))
	require.NoError(t, to.Send(baggage.ContextWithBaggage(ctx, bag), text("hello")))
	for ctx := range grpcstream.NewReceiver(p, "handle", grpcstream.WithCounters(&counters)).Receive() {
		assert.True(t, trace.SpanContextFromContext(ctx).IsSampled())
		assert.Positive(t, baggage.FromContext(ctx).Len())
		assert.LessOrEqual(t, len(baggage.FromContext(ctx).String()), 8192)
	}
	assert.Equal(t, grpcstream.Counts{SentWrapped: 1, Wrapped: 1, Dropped: 1}, counters.Counts())
}
