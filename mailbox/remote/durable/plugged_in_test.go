// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable_test

import (
	"context"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/durable"
)

// brokenError is an error that cannot say what it is.
type brokenError struct{}

func (brokenError) Error() string { panic("broken") }

// An error that panics when it is asked for its text is a failure as any other.
func TestErrorThatPanics(t *testing.T) {
	_, js := start(t)
	conf := config()
	conf.MaxDeliver = 2
	q := newQueue(t, js, conf)
	_, _ = consume(t, q, newSystem(t), func(context.Context, durable.Delivery[order]) error { return brokenError{} })
	publish(t, q, 1)
	eventually(t, func() bool { return q.Stats().DeadLetters.Failed == 1 && settled(t, js) })
	dead := deadLetters(t, js)
	require.Len(t, dead, 1)
	assert.Contains(t, dead[0].Header.Get(durable.HeaderError), "PANIC")
}

// A codec fails for its message only, in whatever way.
func TestCodecThatFails(t *testing.T) {
	for name, bad := range map[string]badCodec{"an error": {}, "a panic": {panics: true}, "an exit": {exits: true}} {
		t.Run(name, func(t *testing.T) {
			_, js := start(t)
			publish(t, newQueue(t, js, config()), 0, 1, 0, 2)
			conf := config()
			conf.Codec = exceptZero{wire.JSONCodec[order](), bad}
			q := newQueue(t, js, conf)
			var got seen
			c, _ := consume(t, q, newSystem(t), func(_ context.Context, d durable.Delivery[order]) error {
				got.add(d)
				return nil
			})
			eventually(t, func() bool { return got.len() == 2 && q.Stats().DeadLetters.Undecodable == 2 && settled(t, js) })
			assert.Len(t, deadLetters(t, js), 2)
			requireBalance(t, q.Stats())
			require.NoError(t, c.Close(t.Context()))
		})
	}
}

// exceptZero fails for orders with the number 0.
type exceptZero struct {
	wire.Codec[order]
	bad badCodec
}

func (c exceptZero) Decode(data []byte) (order, error) {
	o, err := c.Codec.Decode(data)
	if err == nil && o.N == 0 {
		return c.bad.Decode(data)
	}
	return o, err
}

// exitingError is an error that ends the goroutine that asks what it is.
type exitingError struct{}

func (exitingError) Error() string {
	runtime.Goexit()
	return ""
}

// So is one that ends the goroutine which asks.
func TestErrorThatExits(t *testing.T) {
	_, js := start(t)
	conf := config()
	conf.MaxDeliver = 2
	q := newQueue(t, js, conf)
	_, _ = consume(t, q, newSystem(t, mailbox.WithLogger(nil)), func(context.Context, durable.Delivery[order]) error {
		return exitingError{}
	})
	publish(t, q, 1)
	eventually(t, func() bool { return q.Stats().DeadLetters.Failed == 1 && settled(t, js) })
	dead := deadLetters(t, js)
	require.Len(t, dead, 1)
	assert.Contains(t, dead[0].Header.Get(durable.HeaderError), "Goexit")
}

// boundary does what it does instead of reading anything.
type boundary struct {
	propagation.TraceContext
	do func()
}

func (b boundary) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context {
	b.do()
	return ctx
}

// A boundary that fails believes nothing, and the message is handled.
func TestBoundaryThatFails(t *testing.T) {
	for name, do := range map[string]func(){"a panic": func() { panic("broken") }, "an exit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			_, js := start(t)
			conf := config()
			conf.Boundary = boundary{do: do}
			q := newQueue(t, js, conf)
			_, _ = consume(t, q, newSystem(t), func(ctx context.Context, _ durable.Delivery[order]) error {
				assert.NotEqual(t, trace.TraceID{1}, trace.SpanContextFromContext(ctx).TraceID())
				return nil
			})
			_, err := q.Publish(sampledContext(t), order{1})
			require.NoError(t, err)
			eventually(t, func() bool { return q.Stats().Handled == 1 && settled(t, js) })
			assert.Equal(t, uint64(1), q.Stats().Malformed)
		})
	}
}

// sampledContext returns the context of a sampled trace.
func sampledContext(t *testing.T) context.Context {
	t.Helper()
	return trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	}))
}

// exitingSampler ends the goroutine that starts the span of a message that was not handled.
type exitingSampler struct{ sdktrace.Sampler }

func (s exitingSampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	for _, a := range p.Attributes {
		if a.Key == keys.LateReason {
			runtime.Goexit()
		}
	}
	return s.Sampler.ShouldSample(p)
}

// A tracer that ends the goroutine which tells it of a dead letter, or of a mailbox that is full,
// costs a span, and no message.
func TestTracerThatExits(t *testing.T) {
	_, js := start(t)
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(exitingSampler{sdktrace.AlwaysSample()}))
	conf := config()
	conf.TracerProvider = provider
	conf.Codec = exceptZero{wire.JSONCodec[order](), badCodec{}}
	q := newQueue(t, js, conf)
	for n := range 5 {
		_, err := newQueue(t, js, config()).Publish(sampledContext(t), order{n})
		require.NoError(t, err)
	}
	var got seen
	goOn := make(chan struct{})
	_, _ = consume(t, q, newSystem(t, mailbox.WithTracerProvider(provider)), func(_ context.Context, d durable.Delivery[order]) error {
		<-goOn
		got.add(d)
		return nil
	}, mailbox.WithCapacity(1), mailbox.WithOverflow(mailbox.Refuse))
	eventually(t, func() bool { return q.Stats().Returned > 0 && q.Stats().DeadLetters.Undecodable == 1 })
	close(goOn)
	eventually(t, func() bool { return got.len() == 4 && q.Stats().Held == 0 && settled(t, js) })
	var numbers []int
	for _, d := range got.list() {
		numbers = append(numbers, d.Message.N)
		assert.Equal(t, 1, d.Attempt, "what found no room was no attempt")
	}
	slices.Sort(numbers)
	assert.Equal(t, []int{1, 2, 3, 4}, numbers)
	requireBalance(t, q.Stats())
}
