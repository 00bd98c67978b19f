// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package timings_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/timings"
	"github.com/waybill-go/waybill/sampling"
)

// slowProcessor takes its time at the end of a span.
type slowProcessor struct{ sdktrace.SpanProcessor }

func (slowProcessor) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (slowProcessor) OnEnd(sdktrace.ReadOnlySpan)                     { time.Sleep(second) }
func (slowProcessor) Shutdown(context.Context) error                  { return nil }
func (slowProcessor) ForceFlush(context.Context) error                { return nil }

// ask is a call that is answered after a while.
type ask struct {
	takes time.Duration
	reply mailbox.Reply[int]
}

func (a ask) handle(context.Context) error {
	time.Sleep(a.takes)
	a.reply.Answer(1)
	return nil
}

// Traced messages and calls are timed as others are. What becomes of a span at its end is
// no part of a handling, neither of its own nor of the next one; the next message waits
// for it.
func TestTracedMessagesAndCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(slowProcessor{}))
		control, err := sampling.NewControl(configOf(1))
		require.NoError(t, err)
		store := timings.New(timings.Config{})
		sys := mailbox.NewSystem(mailbox.WithTracerProvider(provider), mailbox.WithControl(control), mailbox.WithTimings(store))
		guild := spawn(t, newKind(t, sys, "guild"), "1")
		ctx, span := provider.Tracer("test").Start(context.Background(), "post")
		for range 3 {
			require.NoError(t, guild.Send(ctx, create{2 * second}))
		}
		answer, err := mailbox.Call(context.Background(), guild, func(r mailbox.Reply[int]) message { return ask{second, r} })
		require.NoError(t, err)
		assert.Equal(t, 1, answer)
		span.End()
		drain(t, sys)
		types := store.Process("guild", "1")[0].Types
		for i := range types {
			types[i].Share = 0
		}
		assert.Equal(t, []timings.Row{
			{Type: "create", Count: 3, Timed: 3, Busy: 6 * second, Longest: 2 * second, Waited: 9 * second, LongestWait: 6 * second},
			{Type: "ask", Count: 1, Timed: 1, Busy: second, Longest: second, Waited: 9 * second, LongestWait: 9 * second},
		}, types)
		require.NoError(t, provider.Shutdown(context.Background()))
	})
}
