// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout_test

import (
	"context"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"pgregory.net/rapid"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/internal/envelopetest"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
	"github.com/waybill-go/waybill/sampling/fanout"
)

func TestSampledRecipientsStandForAll(t *testing.T) {
	p := start(t)
	b := p.Begin(p.ctx, 10_000)
	parent := trace.SpanContextFromContext(b.Context())
	for range 10_000 {
		p.handle(b.Next())
	}
	assert.Equal(t, fanout.Delivery{Size: 10_000, Delivered: 10_000, Sampled: 10}, b.End())
	assert.Equal(t, fanout.Delivery{Size: 10_000, Delivered: 10_000, Sampled: 10}, b.End(), "twice is once")

	span, attrs := p.one("broadcast chat")
	assert.Equal(t, trace.SpanKindProducer, span.SpanKind())
	assert.Equal(t, parent, span.SpanContext())
	assert.Equal(t, envelopetest.SpanContext(1).SpanID(), span.Parent().SpanID())
	assert.EqualValues(t, 10_000, attrs[keys.FanoutSize])
	assert.EqualValues(t, 10, attrs[keys.FanoutSampled])
	assert.EqualValues(t, 10_000, attrs[keys.FanoutDelivered])
	assert.Equal(t, "uniform", attrs[keys.FanoutMethod])
	spans, of := p.spans("show")
	require.Len(t, spans, 10)
	assert.Equal(t, parent.SpanID(), spans[0].Parent().SpanID())
	assert.InDelta(t, 1000, of[0][keys.FanoutWeight], 1e-9)
	count := p.estimates("show").Handled.Count()
	assert.InDelta(t, 10_000, count.Value, 1e-6)
	assert.Zero(t, count.StdErr, "all were told of")
	assert.Equal(t, fanout.Stats{Broadcasts: 1, Delivered: 10_000, Sampled: 10}, p.Stats())
}

func TestUntracedFanoutIsNone(t *testing.T) {
	p := start(t)
	for name, ctx := range envelopetest.Senders(t) {
		if name == "sampled" {
			continue
		}
		b := p.Begin(ctx, 100)
		assert.Equal(t, ctx, b.Context(), name)
		first := b.Next()
		assert.Same(t, first, b.Next(), name)
		assert.Equal(t, name == "baggage", first.Baggage().Len() > 0, name)
		assert.False(t, first.SpanContext().IsValid(), name)
		b.Refuse(fanout.Full)
		assert.Equal(t, ctx, b.NextContext(), name)
		assert.Equal(t, fanout.Delivery{Size: 100, Delivered: 2, Refused: 1}, b.End(), name)
		if name != "baggage" {
			assert.Zero(t, testing.AllocsPerRun(100, func() {
				b := p.Begin(ctx, 100)
				b.Next()
				b.Refuse(fanout.Full)
				b.End()
			}), name)
		}
	}
	assert.Empty(t, p.recorder.Ended())
	assert.Nil(t, new(fanout.Broadcast).Next())
	b := p.Begin(nil, -1) //nolint:staticcheck // It is tolerated.
	assert.NotNil(t, b.Context())
	assert.Equal(t, fanout.Delivery{}, b.End())
}

// A recipient that is skipped allocates nothing.
func TestSkippedRecipientsAllocateNothing(t *testing.T) {
	p := start(t, fanout.WithSampling(sampling.GroupConfig{MaxSpans: 1}))
	b := p.Begin(p.ctx, math.MaxInt32)
	defer b.End()
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		b.Next()
		b.Refuse(fanout.Full)
	}))
}

// A hub that is divided among goroutines gives each its part. One span tells of all.
func TestParts(t *testing.T) {
	p := start(t)
	b := p.Begin(p.ctx, 1000)
	p.handle(b.Next())
	var wg sync.WaitGroup
	for shard := range 4 {
		part := b.Part(200)
		wg.Go(func() {
			defer part.End()
			for i := range 200 {
				h := part.Next()
				if i < shard {
					part.Refuse(fanout.Full)
				} else {
					p.handle(h)
				}
			}
		})
	}
	for range 199 {
		p.handle(b.Next())
	}
	assert.Equal(t, 200, b.End().Size, "without the parts")
	wg.Wait()
	_, attrs := p.one("broadcast chat")
	assert.EqualValues(t, 1000, attrs[keys.FanoutSize])
	assert.EqualValues(t, 994, attrs[keys.FanoutDelivered])
	assert.EqualValues(t, 6, attrs[keys.FanoutRefused])
	d := p.estimates("show").Handled.Count().Value + p.estimates("deliver chat").Refused.Count().Value
	assert.InDelta(t, 1000, d, 1e-6)
	stats := p.Stats()
	assert.Equal(t, uint64(994), stats.Delivered)
	assert.Equal(t, uint64(6), stats.Refused)
}

// Whatever callers do, in whatever order, nothing is lost: it was delivered, refused, or
// never asked for.
func TestCountsAddUp(t *testing.T) {
	p := start(t)
	rapid.Check(t, func(r *rapid.T) {
		before := p.Stats()
		ctx := t.Context()
		if rapid.Bool().Draw(r, "traced") {
			ctx = p.ctx
		}
		n := rapid.IntRange(0, 300).Draw(r, "size")
		b := p.Begin(ctx, n)
		open := []*fanout.Broadcast{&b}
		total, next, refused := fanout.Delivery{}, 0, 0
		for range rapid.IntRange(0, 40).Draw(r, "steps") {
			at := rapid.IntRange(0, len(open)-1).Draw(r, "part")
			of := open[at]
			switch rapid.IntRange(0, 3).Draw(r, "do") {
			case 0:
				for range rapid.IntRange(0, 50).Draw(r, "recipients") {
					of.Next()
					next++
				}
			case 1:
				of.Next()
				of.Refuse(fanout.Full)
				next, refused = next+1, refused+1
			case 2:
				open = append(open, of.Part(rapid.IntRange(-1, 100).Draw(r, "take")))
			}
		}
		for _, of := range open {
			d := of.End()
			total.Size += d.Size
			total.Delivered += d.Delivered
			total.Refused += d.Refused
		}
		after := p.Stats()
		assert.Equal(r, n, total.Size)
		assert.Equal(r, refused, total.Refused)
		assert.Equal(r, next-refused, total.Delivered)
		unreached, unplanned := after.Unreached-before.Unreached, after.Unplanned-before.Unplanned
		assert.EqualValues(r, next, uint64(n)-unreached+unplanned)
	})
}

// Recipients of a number that nobody knew are estimated without bias, and with an honest
// standard error.
func TestUnknownNumber(t *testing.T) {
	const about, really, trials = 100, 700, 200
	estimates := func(begin func(*program) fanout.Broadcast) (total, variance func() float64) {
		count := func() estimate.Estimate {
			p := start(t)
			b := begin(p)
			part := b.Part(0)
			for range really / 2 {
				p.handle(b.Next())
				p.handle(part.Next())
			}
			part.End()
			b.End()
			return p.estimates("show").Handled.Count()
		}
		return func() float64 { return count().Value }, func() float64 {
			e := count().StdErr
			return e * e
		}
	}
	// Of each part, a tenth of the first 200, and a twentieth of those beyond.
	const truth = 2 * (200*9 + 150*19)
	total, variance := estimates(func(p *program) fanout.Broadcast { return p.BeginUnknown(p.ctx, about) })
	require.NoError(t, stattest.CheckTotal(really, trials, total))
	require.NoError(t, stattest.CheckVariance(really, truth, trials, total))
	require.NoError(t, stattest.CheckTotal(truth, trials, variance))
	// Negative control: those beyond the number that was said are never sampled.
	total, _ = estimates(func(p *program) fanout.Broadcast { return p.Begin(p.ctx, about) })
	require.Error(t, stattest.CheckTotal(really, trials, total))
}

func TestUnknownNumberIsToldOnTheSpan(t *testing.T) {
	p := start(t, fanout.WithSampling(sampling.GroupConfig{Curve: sampling.Always()}))
	b := p.BeginUnknown(p.ctx, 1)
	for range 5 {
		p.handle(b.Next())
	}
	assert.Equal(t, fanout.Delivery{Size: 5, Delivered: 5, Sampled: 5}, b.End())
	_, attrs := p.one("broadcast chat")
	assert.EqualValues(t, 5, attrs[keys.FanoutSize])
	assert.Equal(t, "bernoulli", attrs[keys.FanoutMethod])
	assert.Zero(t, p.Stats().Unplanned)
}

// Of two recipients with a weight of 10 both may be sampled, and that is still by chance.
func TestUnknownNumberOfWhichAllAreSampled(t *testing.T) {
	p := start(t)
	for sampled := 0; sampled < 2; {
		b := p.BeginUnknown(p.ctx, 100)
		b.Next()
		b.Next()
		sampled = b.End().Sampled
	}
	_, attrs := p.spans("broadcast chat")
	assert.EqualValues(t, 2, attrs[len(attrs)-1][keys.FanoutSampled])
	assert.Equal(t, "bernoulli", attrs[len(attrs)-1][keys.FanoutMethod])
}

// Relays may be on other machines: what they need to know travels with the message. They
// never sample more than planned, and the weights are exact.
func TestRelaysOnOtherMachines(t *testing.T) {
	const relays, size = 40, 250
	here, there := start(t), start(t)
	sizes := slices.Repeat([]int{size}, relays)
	b := here.BeginRelays(here.ctx, sizes)
	sampled := 0
	for range sizes {
		data, err := wire.Config[string]{}.Append(nil, envelope.New("hello", b.Next()))
		require.NoError(t, err)
		e, err := wire.Config[string]{}.Decode(data)
		require.NoError(t, err)
		relay := envelope.Handler(t.Context(), "relay", func(ctx context.Context, _ string) error {
			b := there.Begin(ctx, size)
			for range size {
				there.handle(b.Next())
			}
			sampled += b.End().Sampled
			return nil
		}, envelope.WithTracerProvider(there.provider))
		require.NoError(t, relay(e))
	}
	b.End()
	assert.Equal(t, 10, sampled)
	_, attrs := here.one("broadcast chat")
	assert.EqualValues(t, 10, attrs[keys.FanoutBudget])
	assert.Equal(t, "systematic", attrs[keys.FanoutMethod])
	var spans estimate.Spans
	for _, p := range []*program{here, there} {
		for _, span := range p.recorder.Ended() {
			spans.Add(span)
		}
	}
	assert.InDelta(t, relays*size, spans.Named("show").Handled.Count().Value, 1e-6)
}

// The settings of the control hold at once, and fan-outs to one kind share its rate.
func TestControl(t *testing.T) {
	control := new(sampling.Control)
	p := start(t, fanout.WithControl(control), fanout.WithRecipientKind("client"))
	sampled := func() int {
		b := p.Begin(p.ctx, 100)
		for range 100 {
			b.Next()
		}
		return b.End().Sampled
	}
	assert.Equal(t, 10, sampled())
	set := func(group sampling.GroupConfig, kind sampling.KindConfig) {
		require.NoError(t, control.Set(sampling.Config{
			Groups: map[string]sampling.GroupConfig{"chat": group}, Kinds: map[string]sampling.KindConfig{"client": kind},
		}))
	}
	set(sampling.GroupConfig{MaxSpans: 2}, sampling.KindConfig{})
	assert.Equal(t, 2, sampled())
	set(sampling.GroupConfig{}, sampling.KindConfig{Untraced: true})
	before := len(p.recorder.Ended())
	b := p.Begin(envelopetest.WithBaggage(t, p.ctx, "acme"), 1)
	h := b.Next()
	assert.False(t, h.SpanContext().IsValid())
	assert.Equal(t, 1, h.Baggage().Len())
	assert.Len(t, p.recorder.Ended(), before, "no span either")
	set(sampling.GroupConfig{}, sampling.KindConfig{SpansPerSecond: 0.1})
	total := 0
	for range 100 {
		total += sampled()
	}
	assert.Less(t, total, 100, "not 1,000")
	set(sampling.GroupConfig{}, sampling.KindConfig{MaxSpansPerSecond: 1})
	sampled()
	assert.Zero(t, sampled(), "that is shed")
	_, attrs := p.spans("broadcast chat")
	assert.Equal(t, true, attrs[len(attrs)-1][keys.FanoutShed])
}

// Receivers of skipped and of linked messages know what they are.
func TestLinkedRoots(t *testing.T) {
	p := start(t, fanout.WithLinkedRoots())
	b := p.Begin(p.ctx, 10)
	for range 10 {
		h := b.Next()
		require.True(t, !h.Sampled() || (*header.Header)(h).Linked())
	}
	b.End()
}

type broken struct{ noop.TracerProvider }

func (broken) Tracer(string, ...trace.TracerOption) trace.Tracer { return brokenTracer{} }

type brokenTracer struct{ noop.Tracer }

func (brokenTracer) Start(context.Context, string, ...trace.SpanStartOption) (context.Context, trace.Span) {
	panic("broken")
}

// What is plugged in may panic: the messages go on, untraced.
func TestBrokenProvider(t *testing.T) {
	p, err := fanout.New("chat", fanout.WithTracerProvider(broken{}))
	require.NoError(t, err)
	b := p.Begin(envelopetest.SampledContext(t), 100)
	for range 100 {
		assert.False(t, b.Next().Sampled())
		b.Refuse(fanout.Full)
	}
	assert.Equal(t, fanout.Delivery{Size: 100, Refused: 100}, b.End())
}

func TestSettingsThatMakeNoSense(t *testing.T) {
	_, err := fanout.New("")
	require.Error(t, err)
	_, err = fanout.New("chat", fanout.WithSampling(sampling.GroupConfig{MaxSpansPerSecond: 1, SpansPerSecond: 2}))
	require.ErrorIs(t, err, sampling.ErrConfig)
	assert.ErrorContains(t, err, `fan-out "chat"`)
	_, err = fanout.New("chat", nil)
	require.NoError(t, err)
}
