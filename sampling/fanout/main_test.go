// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/envelopetest"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
	"github.com/waybill-go/waybill/sampling/fanout"
	"github.com/waybill-go/waybill/sampling/sampler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// program has a fan-out called "chat", and the spans that it makes.
type program struct {
	*fanout.Fanout

	t        *testing.T
	provider *sdktrace.TracerProvider
	recorder *tracetest.SpanRecorder
	ctx      context.Context // of a sampled sender
	receive  func(envelope.Envelope[string]) error
}

func start(t *testing.T, opts ...fanout.Option) *program {
	t.Helper()
	p := &program{t: t, ctx: envelopetest.SampledContext(t)}
	p.provider, p.recorder = envelopetest.NewProvider(t,
		sdktrace.WithSampler(sampler.Wrap(sdktrace.ParentBased(sdktrace.AlwaysSample()))))
	var err error
	p.Fanout, err = fanout.New("chat", append(opts, fanout.WithTracerProvider(p.provider))...)
	require.NoError(t, err)
	p.receive = envelope.Handler(context.Background(), "show", func(context.Context, string) error { return nil },
		envelope.WithTracerProvider(p.provider))
	return p
}

// follow starts with a control that has those settings.
func follow(t *testing.T, config sampling.Config) *program {
	t.Helper()
	control, err := sampling.NewControl(config)
	require.NoError(t, err)
	return start(t, fanout.WithControl(control))
}

// handle handles the message of an envelope with that header, as a receiver would.
func (p *program) handle(h *envelope.Header) {
	p.t.Helper()
	require.NoError(p.t, p.receive(envelope.New("hello", h)))
}

// spans returns the spans of that name that have ended, and their attributes.
func (p *program) spans(name string) (spans []sdktrace.ReadOnlySpan, attrs []map[attribute.Key]any) {
	for _, span := range p.recorder.Ended() {
		if span.Name() != name {
			continue
		}
		of := make(map[attribute.Key]any)
		for _, kv := range span.Attributes() {
			of[kv.Key] = kv.Value.AsInterface()
		}
		spans, attrs = append(spans, span), append(attrs, of)
	}
	return spans, attrs
}

// one returns the attributes of the only span of that name.
func (p *program) one(name string) (sdktrace.ReadOnlySpan, map[attribute.Key]any) {
	p.t.Helper()
	spans, attrs := p.spans(name)
	require.Len(p.t, spans, 1)
	return spans[0], attrs[0]
}

// estimates returns what the spans tell of those of that name.
func (p *program) estimates(name string) estimate.Deliveries {
	var spans estimate.Spans
	for _, span := range p.recorder.Ended() {
		spans.Add(span)
	}
	return spans.Named(name)
}
