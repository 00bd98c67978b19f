// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/propagate"
)

const (
	strangerState   = "waybill=w:1e+06;p:1e-06;n:1000000;d:1,vendor=x"
	strangerBaggage = "customer=acme,admin=yes"
	strangerWait    = 1450 * time.Second
)

// strangers are messages in each form that claim all that can be claimed, by the
// form that they are in.
func strangers() map[string]string {
	sent := time.Now().Add(-strangerWait)
	numbers := binary.BigEndian.AppendUint64(nil, uint64(sent.UnixNano()))
	chain := binary.BigEndian.AppendUint64([]byte("\x00\x00\x03\xe8"), uint64(time.Hour))
	return map[string]string{
		"binary": frame(field(1, wireIDs+"\x01")+field(2, strangerState)+field(3, strangerBaggage)+
			field(4, string(numbers))+field(5, string(chain))+field(6, "\x02"), `{"ID":7}`),
		"JSON": marked(`{"version":1,`+wireParent+`,"tracestate":"`+strangerState+`","baggage":"`+strangerBaggage+
			`","sent":"`+sent.UTC().Format(time.RFC3339Nano)+`","hops":1000,"age_ns":3600000000000,"fanout":"linked"}`, `{"ID":7}`),
	}
}

// newBoundary returns one as at a public listener, and what it counts.
func newBoundary(policy propagate.Policy) (propagate.Boundary, *propagate.Counters) {
	counters := new(propagate.Counters)
	return propagate.Boundary{
		Policy: policy,
		Propagator: propagation.NewCompositeTextMapPropagator(
			propagate.TraceContext{Counters: counters},
			propagate.Baggage{Allow: []string{"customer"}, Counters: counters},
		),
		Counters: counters,
	}, counters
}

func decodeAt(t *testing.T, boundary propagation.TextMapPropagator, data string) envelope.Envelope[order] {
	t.Helper()
	w := wire.Config[order]{Boundary: boundary, Counters: new(wire.Counters)}
	e, err := w.Decode([]byte(data))
	require.NoError(t, err)
	assert.Equal(t, order{7}, e.Message())
	assert.Equal(t, wire.Figures{Wrapped: 1}, w.Counters.Figures())
	return e
}

// TestNothingOfAStrangerIsBelieved at a boundary that ignores or links, but for the
// baggage that it allows.
func TestNothingOfAStrangerIsBelieved(t *testing.T) {
	for form, data := range strangers() {
		for policy, want := range map[propagate.Policy]propagate.Counts{
			propagate.Ignore:     {Ignored: 1, Dropped: 1},
			propagate.Link:       {Linked: 1, Dropped: 1},
			propagate.Policy(99): {Ignored: 1, Dropped: 1},
		} {
			boundary, counters := newBoundary(policy)
			e := decodeAt(t, boundary, data)
			assert.Equal(t, want, counters.Counts(), "%s, %d", form, policy)
			h := inner(e.Header())
			assert.False(t, h.Sampled(), "%s, %d", form, policy)
			assert.Equal(t, trace.SpanContext{}, h.SpanContext(), "%s, %d", form, policy)
			assert.Equal(t, trace.SpanContext{}, h.Skipped(), "%s, %d", form, policy)
			assert.Zero(t, h.Hops(), "%s, %d", form, policy)
			assert.Zero(t, h.Age(), "%s, %d", form, policy)
			assert.Zero(t, h.SentAt(), "%s, %d", form, policy)
			assert.False(t, h.SampledByFanout() || h.Linked(), "%s, %d", form, policy)
			assert.Equal(t, "acme", h.Baggage().Member("customer").Value(), "%s, %d", form, policy)
			assert.Equal(t, 1, h.Baggage().Len(), "%s, %d", form, policy)

			onward, err := wire.Config[order]{}.Append(nil, e)
			require.NoError(t, err)
			assert.Equal(t, frame(field(3, "customer=acme"), `{"ID":7}`), string(onward), "%s, %d", form, policy)
		}
	}
}

// A stranger of whom nothing is let in sends untraced messages.
func TestNothingIsLeftOfAStranger(t *testing.T) {
	for form, data := range strangers() {
		e := decodeAt(t, propagate.Boundary{Policy: propagate.Ignore, Propagator: propagate.TraceContext{}}, data)
		assert.Nil(t, e.Header(), form)
		e = decodeAt(t, propagate.Boundary{Policy: propagate.Link, Propagator: propagate.Baggage{Allow: []string{}}}, data)
		assert.Nil(t, e.Header(), form)
	}
}

// TestThoseWhoAreTrustedAreBelieved has a boundary that continues, which makes of a
// message what a reader without one does, but for the baggage that is not allowed.
func TestThoseWhoAreTrustedAreBelieved(t *testing.T) {
	for form, data := range strangers() {
		want := inner(decodeAt(t, nil, data).Header())
		boundary, counters := newBoundary(propagate.Continue)
		got := inner(decodeAt(t, boundary, data).Header())
		assert.Equal(t, propagate.Counts{Dropped: 1}, counters.Counts(), form)
		assert.Equal(t, want.SpanContext(), got.SpanContext(), form)
		assert.Equal(t, 1000, got.Hops(), form)
		assert.Equal(t, time.Hour, got.Age(), form)
		assert.Zero(t, want.SentAt().Round(0).Sub(got.SentAt().Round(0)), form)
		assert.True(t, got.SampledByFanout() && got.Linked(), form)
		assert.InDelta(t, 1e6, fanout.FromTraceState(got.SpanContext().TraceState()).Weight, 0, form)
		assert.Equal(t, 2, want.Baggage().Len(), form)
		assert.Equal(t, 1, got.Baggage().Len(), form)
	}
}

// TestOnlyIDsAreBelieved where a boundary continues traces by those alone.
func TestOnlyIDsAreBelieved(t *testing.T) {
	for form, data := range strangers() {
		boundary, counters := newBoundary(propagate.ContinueIDs)
		before := time.Now()
		got := inner(decodeAt(t, boundary, data).Header())
		assert.Equal(t, propagate.Counts{Dropped: 1}, counters.Counts(), form)
		want := inner(decodeAt(t, nil, data).Header()).SpanContext()
		assert.Equal(t, want.WithTraceState(trace.TraceState{}), got.SpanContext(), form)
		assert.True(t, got.Sampled(), form)
		assert.Equal(t, 1, got.Hops(), form)
		assert.Zero(t, got.Age(), form)
		assert.False(t, got.SentAt().Before(before), form)
		assert.False(t, got.SampledByFanout() || got.Linked(), form)
		assert.Equal(t, "acme", got.Baggage().Member("customer").Value(), form)
		assert.Equal(t, 1, got.Baggage().Len(), form)
	}
	boundary, _ := newBoundary(propagate.ContinueIDs)
	h := inner(decodeAt(t, boundary, frame(field(1, wireIDs+"\x01")+field(2, "1st=x,a=b"), `{"ID":7}`)).Header())
	assert.Empty(t, whole(h.Context(t.Context())), "nor what travels beside OTel's type for a tracestate")
}

// What OTel's type for a tracestate cannot hold travels on through a boundary that
// continues, and nothing malformed reaches any boundary.
func TestBoundariesReadAsOthersDo(t *testing.T) {
	boundary, counters := newBoundary(propagate.Continue)
	h := inner(decodeAt(t, boundary, frame(field(1, wireIDs+"\x01")+field(2, "1st=x,a=b"), `{"ID":7}`)).Header())
	assert.Equal(t, "1st=x,a=b", whole(h.Context(t.Context())))
	for data, want := range map[string]wire.Figures{
		frame(field(1, wireIDs+"\x01")+field(1, wireIDs+"\x01"), `{"ID":7}`):                           {Wrapped: 1, TraceMalformed: 1},
		frame(field(1, wireIDs+"\x01")+field(2, "a=b")+field(2, "a=b"), `{"ID":7}`):                    {Wrapped: 1, TraceStateRefused: 1},
		frame(field(1, wireIDs+"\x01")+field(3, "customer=a")+field(3, "customer=b"), `{"ID":7}`):      {Wrapped: 1, BaggageRefused: 1},
		frame(field(1, wireIDs+"\x01")+field(5, "\xff\xff\xff\xff"), `{"ID":7}`):                       {Wrapped: 1, ChainMalformed: 1},
		marked(`{"version":1,"traceparent":"ff`+wireParent[len(`"traceparent":"00`):]+`}`, `{"ID":7}`): {Wrapped: 1, TraceMalformed: 1},
	} {
		w := wire.Config[order]{Boundary: boundary, Counters: new(wire.Counters)}
		e, err := w.Decode([]byte(data))
		require.NoError(t, err)
		assert.Equal(t, want, w.Counters.Figures(), "%q", data)
		assert.Equal(t, want.TraceMalformed == 0, e.Header().SpanContext().IsValid(), "%q", data)
		assert.Zero(t, e.Header().SpanContext().TraceState().Len(), "%q", data)
		assert.Zero(t, e.Header().Baggage().Len(), "%q", data)
	}
	assert.Equal(t, propagate.Counts{}, counters.Counts())
}

// handledAt receives a message in the ways that there are, with the provider of the
// boundary or another, and returns the spans that are recorded for it, by the way.
func handledAt(
	t *testing.T, boundary propagate.Boundary, own bool, data string, sampler sdktrace.Sampler,
) map[string]sdktrace.ReadOnlySpan {
	t.Helper()
	provider, recorder := newProvider(t, sdktrace.WithSampler(sampler))
	option := envelope.WithTracerProvider(provider)
	if own {
		option = envelope.WithTracerProvider(boundary.TracerProvider(provider))
	}
	e := decodeAt(t, boundary, data)
	work := func(ctx context.Context, _ order) error {
		_, span := provider.Tracer("test").Start(ctx, "work")
		span.End()
		return nil
	}
	require.NoError(t, envelope.Handler(sampledContext(t), "handler", work, option)(e))
	ch := make(chan envelope.Envelope[order], 1)
	ch <- e
	close(ch)
	for ctx, o := range envelope.Receive(t.Context(), ch, "receive", option) {
		require.NoError(t, work(ctx, o))
	}
	batch := func(ctx context.Context, all []envelope.Envelope[order]) error { return work(ctx, all[0].Message()) }
	require.NoError(t, envelope.BatchHandler(sampledContext(t), "batch", batch, option)([]envelope.Envelope[order]{e, envelope.Bare(order{8}), e}))

	spans := map[string]sdktrace.ReadOnlySpan{}
	ended := recorder.Ended() // The handler's own span, and then ours, or none.
	require.Zero(t, len(ended)%2)
	for i := 0; i < len(ended); i += 2 {
		assert.Equal(t, "work", ended[i].Name())
		assert.Equal(t, ended[i+1].SpanContext().SpanID(), ended[i].Parent().SpanID())
		spans[ended[i+1].Name()] = ended[i+1]
	}
	return spans
}

func TestHandlingBehindABoundary(t *testing.T) {
	always := sdktrace.ParentBased(sdktrace.AlwaysSample())
	never := sdktrace.ParentBased(sdktrace.NeverSample())
	for _, own := range []bool{true, false} {
		for form, data := range strangers() {
			ignoring, _ := newBoundary(propagate.Ignore)
			assert.Empty(t, handledAt(t, ignoring, own, data, always), "%s: as an untraced message", form)

			linking, _ := newBoundary(propagate.Link)
			assert.Empty(t, handledAt(t, linking, own, data, never), "%s: the sampler decides", form)
			spans := handledAt(t, linking, own, data, always)
			assert.Len(t, spans, 3, form)
			for name, s := range spans {
				assertLinked(t, s, form+", "+name)
			}

			continuing, _ := newBoundary(propagate.Continue)
			assert.Empty(t, handledAt(t, continuing, own, data, never), "a trace of its own, which the sampler decides on")
			notLinked := strings.NewReplacer(`"linked"`, `"sampled"`, field(6, "\x02"), field(6, "\x01")).Replace(data)
			spans = handledAt(t, continuing, own, notLinked, never)
			assert.Len(t, spans, 3, form)
			for name, s := range spans {
				assert.Equal(t, wireIDs[16:], string(spanIDOf(s.Parent())), "%s, %s", form, name)
				assert.InDelta(t, 1e6, attributeOf(s, "waybill.fanout.weight"), 0, "%s, %s", form, name)
				assert.GreaterOrEqual(t, attributeOf(s, "waybill.queue.duration"), strangerWait.Seconds(), "%s, %s", form, name)
			}

			onlyIDs, _ := newBoundary(propagate.ContinueIDs)
			spans = handledAt(t, onlyIDs, own, data, never)
			assert.Len(t, spans, 3, form)
			for name, s := range spans {
				assert.Equal(t, wireIDs[16:], string(spanIDOf(s.Parent())), "%s, %s", form, name)
				assert.Zero(t, s.SpanContext().TraceState().Len(), "%s, %s", form, name)
				assert.Less(t, attributeOf(s, "waybill.queue.duration"), strangerWait.Seconds(), "%s, %s", form, name)
				for _, a := range s.Attributes() {
					assert.NotContains(t, string(a.Key), "waybill.fanout", "%s, %s", form, name)
				}
			}
		}
	}
}

// assertLinked checks that s is a root linked to a stranger, and says nothing of
// what that claims.
func assertLinked(t *testing.T, s sdktrace.ReadOnlySpan, which string) {
	t.Helper()
	assert.False(t, s.Parent().IsValid(), which)
	assert.NotEqual(t, wireIDs[:16], string(traceIDOf(s.SpanContext())), which)
	require.Len(t, s.Links(), 1, which)
	link := s.Links()[0]
	assert.Equal(t, wireIDs, string(traceIDOf(link.SpanContext))+string(spanIDOf(link.SpanContext)), which)
	assert.Zero(t, link.SpanContext.TraceState().Len(), which)
	assert.Equal(t, []attribute.KeyValue{attribute.String("waybill.link.reason", "boundary")}, link.Attributes, which)
	for _, a := range s.Attributes() {
		assert.Equal(t, attribute.Key("waybill.batch.size"), a.Key, "%s: no waiting time, no weight", which)
	}
}

func traceIDOf(sc trace.SpanContext) []byte { id := sc.TraceID(); return id[:] }

func spanIDOf(sc trace.SpanContext) []byte { id := sc.SpanID(); return id[:] }

func attributeOf(s sdktrace.ReadOnlySpan, key attribute.Key) float64 {
	for _, a := range s.Attributes() {
		if a.Key == key {
			return a.Value.AsFloat64()
		}
	}
	return 0
}

// Who opens a message himself finds the caller where a request would have left it.
func TestOpeningBehindABoundary(t *testing.T) {
	provider, recorder := newProvider(t, sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())))
	boundary, _ := newBoundary(propagate.Link)
	for form, data := range strangers() {
		recorder.Reset()
		e := decodeAt(t, boundary, data)
		ctx, _ := e.Unwrap(sampledContext(t))
		assert.False(t, trace.SpanContextFromContext(ctx).IsValid(), form)
		assert.Equal(t, "acme", baggage.FromContext(ctx).Member("customer").Value(), form)
		link, ok := propagate.CallerLink(ctx)
		require.True(t, ok, form)
		assert.Equal(t, wireIDs[16:], string(spanIDOf(link.SpanContext)), form)
		_, span := boundary.TracerProvider(provider).Tracer("test").Start(ctx, "first")
		span.End()

		// Below a span of the reader's own, as below that of a server.
		base, local := provider.Tracer("test").Start(t.Context(), "local")
		_, span = boundary.TracerProvider(provider).Tracer("test").Start(inner(e.Header()).Context(base), "second")
		span.End()
		local.End()
		for i, s := range recorder.Ended()[:2] {
			assert.False(t, s.Parent().IsValid(), form)
			require.Len(t, s.Links(), i+1, form)
			assert.Equal(t, wireIDs[16:], string(spanIDOf(s.Links()[0].SpanContext)), form)
		}

		next, _ := envelope.Bare(order{8}).Unwrap(ctx)
		_, ok = propagate.CallerLink(next)
		assert.False(t, ok, "%s: it is not the caller of what is opened next", form)
		assert.True(t, envelope.IsSentinel(trace.SpanContextFromContext(next)), form)
	}
}

// Of a batch from those who are trusted and from strangers, the trusted decide.
func TestBatchesOfStrangersAndOthers(t *testing.T) {
	boundary, _ := newBoundary(propagate.Link)
	stranger := decodeAt(t, boundary, strangers()["binary"])
	other := spanContext(trace.FlagsSampled).WithSpanID(trace.SpanID{9})
	trusted := envelope.Wrap(trace.ContextWithSpanContext(t.Context(), other), order{1})
	provider, recorder := newProvider(t, sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample())))
	handle := envelope.BatchHandler(t.Context(), "handle", func(context.Context, []envelope.Envelope[order]) error {
		return nil
	}, envelope.WithTracerProvider(provider))
	require.NoError(t, handle([]envelope.Envelope[order]{stranger, trusted, stranger}))
	spans := recorder.Ended()
	require.Len(t, spans, 1)
	assert.Equal(t, trusted.Header().SpanContext().SpanID(), spans[0].Parent().SpanID())
	require.Len(t, spans[0].Links(), 2)
	assert.Equal(t, wireIDs[16:], string(spanIDOf(spans[0].Links()[0].SpanContext)))
	assert.Less(t, attributeOf(spans[0], "waybill.queue.duration"), strangerWait.Seconds())
}

// FuzzBoundary lets no trace in, whatever a message says.
func FuzzBoundary(f *testing.F) {
	for _, data := range strangers() {
		f.Add([]byte(data))
	}
	seedForms(f, wire.Binary)
	seedForms(f, wire.JSON)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, policy := range []propagate.Policy{propagate.Ignore, propagate.Link} {
			boundary, counters := newBoundary(policy)
			w := wire.Config[string]{
				Codec: wire.BytesCodec[string](), Form: wire.JSON, Boundary: boundary, Counters: new(wire.Counters),
			}
			e, err := w.Decode(data)
			h := inner(e.Header())
			require.False(t, h.Sampled() || h.SpanContext().IsValid() || h.Skipped().IsValid() || h.SampledByFanout() || h.Linked())
			require.Zero(t, h.Hops())
			require.Zero(t, h.Age())
			require.Zero(t, h.SentAt())
			for _, m := range h.Baggage().Members() {
				require.Equal(t, "customer", m.Key())
			}
			_, linked := propagate.CallerLink(h.Context(t.Context()))
			require.Equal(t, counters.Counts().Linked == 1, linked)
			w.Boundary = nil
			plain, plainErr := w.Decode(data)
			require.Equal(t, plainErr == nil, err == nil)
			require.Equal(t, plain.Message(), e.Message())
			require.Equal(t, policy == propagate.Link && plain.Header().SpanContext().IsValid(), linked)
		}
	})
}
