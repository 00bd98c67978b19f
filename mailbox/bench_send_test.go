// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/mailbox"
)

// The benchmarks measure work that was done: each waits for all handlers, and
// fails if a message was not handled or a span not made. Beside each is the
// same with a goroutine and a channel, in the same run: compare within a run.
//
//	go test -run '^$' -bench . ./mailbox

// counter is a span processor that counts spans and throws them away.
type counter struct{ ended atomic.Int64 }

func (*counter) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (c *counter) OnEnd(sdktrace.ReadOnlySpan)                   { c.ended.Add(1) }
func (*counter) Shutdown(context.Context) error                  { return nil }
func (*counter) ForceFlush(context.Context) error                { return nil }

// setting is how the messages of a benchmark are traced.
type setting struct {
	name     string
	ctx      context.Context
	sampled  bool
	spans    *counter
	provider *sdktrace.TracerProvider
}

func settings() []setting {
	var all []setting
	for _, name := range []string{"untraced", "unsampled", "traced"} {
		s := setting{name: name, ctx: context.Background(), spans: &counter{}, sampled: name == "traced"}
		s.provider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(s.spans))
		switch name {
		case "unsampled":
			s.ctx = trace.ContextWithSpanContext(s.ctx, unsampled)
		case "traced":
			s.ctx = trace.ContextWithSpanContext(s.ctx, unsampled.WithTraceFlags(trace.FlagsSampled))
		}
		all = append(all, s)
	}
	return all
}

func (s setting) system() *mailbox.System {
	return mailbox.NewSystem(mailbox.WithTracerProvider(s.provider))
}

// requireSpans checks the effect on traces, and that only where it was meant.
func (s setting) requireSpans(b *testing.B, want int) {
	b.Helper()
	if !s.sampled {
		want = 0
	}
	require.EqualValues(b, want, s.spans.ended.Load())
}

// wrapped is what a channel carries in the raw benchmarks: the least that lets
// a trace travel.
type wrapped[M any] struct {
	ctx     context.Context
	message M
}

// rawHandle handles as a careful user without a library would: a span if the
// sender is traced, with the attributes that we set.
func rawHandle[M any](tracer trace.Tracer, w wrapped[M], handler func(context.Context, M)) {
	if !trace.SpanContextFromContext(w.ctx).IsSampled() {
		handler(w.ctx, w.message)
		return
	}
	ctx, span := tracer.Start(w.ctx, "worker int", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("kind", "worker"), attribute.String("type", "int"), attribute.Float64("queue", 0)))
	handler(ctx, w.message)
	span.End()
}

func BenchmarkSend(b *testing.B) {
	for _, s := range settings() {
		b.Run(s.name+"/waybill", func(b *testing.B) {
			handled := 0
			s.spans.ended.Store(0)
			sys := s.system()
			ref := spawn(b, sys, "worker", func(context.Context, int) error {
				handled++
				return nil
			})
			b.ReportAllocs()
			for i := range b.N {
				if err := ref.Send(s.ctx, i); err != nil {
					b.Fatal(err)
				}
			}
			drain(b, sys)
			b.StopTimer()
			require.Equal(b, b.N, handled)
			s.requireSpans(b, b.N)
		})
		b.Run(s.name+"/raw", func(b *testing.B) {
			handled := 0
			s.spans.ended.Store(0)
			tracer := s.provider.Tracer("raw")
			box, done := make(chan wrapped[int], 1024), make(chan struct{})
			go func() {
				defer close(done)
				for w := range box {
					rawHandle(tracer, w, func(context.Context, int) { handled++ })
				}
			}()
			b.ReportAllocs()
			for i := range b.N {
				box <- wrapped[int]{s.ctx, i}
			}
			close(box)
			<-done
			b.StopTimer()
			require.Equal(b, b.N, handled)
			s.requireSpans(b, b.N)
		})
	}
}

func BenchmarkSendFromEight(b *testing.B) {
	const senders = 8
	each := func(b *testing.B, send func(i int)) {
		b.Helper()
		var wg sync.WaitGroup
		for sender := range senders {
			wg.Go(func() {
				for i := sender; i < b.N; i += senders {
					send(i)
				}
			})
		}
		wg.Wait()
	}
	b.Run("waybill", func(b *testing.B) {
		handled := 0
		sys := mailbox.NewSystem()
		ref := spawn(b, sys, "worker", func(context.Context, int) error {
			handled++
			return nil
		})
		ctx := context.Background()
		b.ReportAllocs()
		each(b, func(i int) { _ = ref.Send(ctx, i) })
		drain(b, sys)
		b.StopTimer()
		require.Equal(b, b.N, handled)
	})
	b.Run("raw", func(b *testing.B) {
		handled := 0
		box, done := make(chan int, 1024), make(chan struct{})
		go func() {
			defer close(done)
			for range box {
				handled++
			}
		}()
		b.ReportAllocs()
		each(b, func(i int) { box <- i })
		close(box)
		<-done
		b.StopTimer()
		require.Equal(b, b.N, handled)
	})
}
