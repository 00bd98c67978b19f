// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/mailbox"
)

// sendAgain returns a job that sends itself to its own process n more times, each
// time after a pause.
func sendAgain(t *testing.T, n int, pause time.Duration) job {
	t.Helper()
	return func(ctx context.Context) error {
		if n == 0 {
			return nil
		}
		self, _ := mailbox.Self[job](ctx)
		if pause > 0 {
			self.SendAfter(ctx, pause, sendAgain(t, n-1, pause))
			return nil
		}
		return self.Send(ctx, sendAgain(t, n-1, 0))
	}
}

// tracesOf returns the handlings by trace, in the order of their start, and checks
// that each trace but the first one begins with a root that links to the last
// span of the one before.
func tracesOf(t *testing.T, spans tracetest.SpanStubs) (all []tracetest.SpanStubs) {
	t.Helper()
	var last tracetest.SpanStub
	for i, span := range spans {
		switch {
		case i > 0 && span.SpanContext.TraceID() == last.SpanContext.TraceID():
			assert.Empty(t, span.Links)
			requireChild(t, last.SpanContext, span)
			all[len(all)-1] = append(all[len(all)-1], span)
		case i > 0:
			assert.False(t, span.Parent.SpanID().IsValid(), "a root")
			require.Len(t, span.Links, 1)
			assert.Equal(t, last.SpanContext.SpanID(), span.Links[0].SpanContext.SpanID())
			assert.Equal(t, last.SpanContext.TraceID(), span.Links[0].SpanContext.TraceID())
			assert.Equal(t, "chain", span.Links[0].Attributes[0].Value.AsString())
			fallthrough
		default:
			all = append(all, tracetest.SpanStubs{span})
		}
		last = span
	}
	return all
}

func lengthsOf(all []tracetest.SpanStubs) (n []int) {
	for _, spans := range all {
		n = append(n, len(spans))
	}
	return n
}

func TestChainsOfManyHopsAreCut(t *testing.T) {
	for _, test := range []struct {
		name string
		opts []mailbox.SystemOption
		want []int
	}{
		// The root of the first trace is outside, those of the others are handlings.
		{"cut", []mailbox.SystemOption{mailbox.WithChainLimit(4, -1)}, []int{4, 5, 1}},
		{"the control: no limit", []mailbox.SystemOption{mailbox.WithChainLimit(-1, -1)}, []int{10}},
		{"the default is generous", nil, []int{10}},
		{"zero is the default", []mailbox.SystemOption{mailbox.WithChainLimit(0, 0)}, []int{10}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				rec := record(t)
				sys := rec.system(test.opts...)
				ref := spawn(t, sys, "worker", do)
				rec.sent(ref, sendAgain(t, 9, 0))
				settle()
				assert.Equal(t, test.want, lengthsOf(tracesOf(t, rec.all("worker job"))))
				drain(t, sys)
			})
		})
	}
}

func TestOldChainsAreCut(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system(mailbox.WithChainLimit(-1, 10*time.Minute))
		ref := spawn(t, sys, "worker", do)
		rec.sent(ref, sendAgain(t, 9, 5*time.Minute))
		time.Sleep(time.Hour)
		// The first message is of age 0, its successors are 5 and 10 minutes old.
		assert.Equal(t, []int{3, 3, 3, 1}, lengthsOf(tracesOf(t, rec.all("worker job"))))
		drain(t, sys)
	})
}

// A process that goes on by its own timers for a day.
func TestDayOfTimersMakesManySmallTraces(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system()
		ref := spawn(t, sys, "worker", do)
		const pause = 10 * time.Second
		ticks := int(24 * time.Hour / pause)
		rec.sent(ref, sendAgain(t, ticks, pause))
		time.Sleep(25 * time.Hour)
		all := tracesOf(t, rec.all("worker job"))
		handled := 0
		for _, spans := range all {
			handled += len(spans)
			assert.LessOrEqual(t, len(spans), 1+256)
			first, last := spans[0], spans[len(spans)-1]
			assert.LessOrEqual(t, last.StartTime.Sub(first.StartTime), 30*time.Minute)
		}
		assert.Equal(t, ticks+1, handled)
		assert.Greater(t, len(all), 40)
		drain(t, sys)
	})
}

// Every sampler that decides by the trace's ID decides on all parts of a chain
// as it did on the first: a half of the chains, whole.
func TestChainIsSampledAsAWhole(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t, sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.5))))
		sys := rec.system(mailbox.WithChainLimit(1, 0))
		ref := spawn(t, sys, "worker", do)
		whole, none := 0, 0
		for range 50 {
			rec.spans.Reset()
			rec.sent(ref, sendAgain(t, 3, 0))
			settle()
			switch n := len(rec.all("worker job")); n {
			case 0:
				none++
			case 4:
				whole++
			default:
				assert.Fail(t, "a part of a chain", "%d", n)
			}
		}
		assert.NotZero(t, whole)
		assert.NotZero(t, none)
		drain(t, sys)
	})
}

// A handler that starts a trace of its own starts a chain of its own.
func TestChainOfAnotherTraceIsAnother(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system(mailbox.WithChainLimit(2, 0))
		ref := spawn(t, sys, "worker", do)
		rec.sent(ref, func(ctx context.Context) error {
			self, _ := mailbox.Self[job](ctx)
			ctx, span := rec.tracer.Start(ctx, "own", trace.WithNewRoot())
			defer span.End()
			return self.Send(ctx, sendAgain(t, 1, 0))
		})
		settle()
		own := rec.one("own")
		handlings := rec.all("worker job")
		require.Len(t, handlings, 3)
		for _, span := range handlings[1:] {
			assert.Equal(t, own.SpanContext.TraceID(), span.SpanContext.TraceID())
			assert.Empty(t, span.Links)
		}
		drain(t, sys)
	})
}
