// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// exiting is a span processor that ends the goroutine at the end of some spans.
type exiting struct{ handlings *atomic.Int64 }

func (exiting) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (e exiting) OnEnd(s sdktrace.ReadOnlySpan) {
	if s.Name() == "worker job" {
		e.handlings.Add(1)
		runtime.Goexit()
	}
}
func (exiting) Shutdown(context.Context) error   { return nil }
func (exiting) ForceFlush(context.Context) error { return nil }

// A span processor that ends the goroutine, as a test's exporter that fails the test
// does, costs no message and holds up no process.
func TestWhatIsPluggedInMayEndTheGoroutine(t *testing.T) {
	for name, message := range map[string]job{"handled": nothing, "failed": fails} {
		t.Run(name, func(t *testing.T) {
			var spans atomic.Int64
			provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(exiting{&spans}))
			late := sampling.Late{Failures: true, SlowerThan: time.Nanosecond}
			control := controlOf(t, sampling.KindConfig{Late: late})
			sys := newSystem(t, mailbox.WithTracerProvider(provider), mailbox.WithLogger(nil), mailbox.WithControl(control))
			ref := spawn(t, sys, "worker", do)
			const messages = 50
			for i := range messages {
				ctx, root := context.Background(), func() {}
				if i%2 == 0 {
					c, span := provider.Tracer("test").Start(ctx, "root")
					ctx, root = c, func() { span.End() }
				}
				require.NoError(t, ref.Send(ctx, message))
				root()
			}
			pass(t, spawn(t, sys, "other", do))
			drain(t, sys)
			s := sys.Stats()
			requireAtRest(t, s)
			assert.Zero(t, s.DeadLetters.Total())
			assert.EqualValues(t, messages+1, s.Handled+s.Failed)
			if name == "failed" {
				assert.EqualValues(t, messages, s.Failed)
			}
			assert.GreaterOrEqual(t, spans.Load(), int64(messages/2))
		})
	}
}

func TestBuildOfAWatchMayEndTheGoroutine(t *testing.T) {
	sys := newSystem(t)
	watcher, other := spawn(t, sys, "watcher", do), spawn(t, sys, "other", do)
	mailbox.Watch(watcher, other, func(mailbox.Termination) job { runtime.Goexit(); return nil })
	require.NoError(t, other.Stop(context.Background()))
	await(t, other.Done())
	pass(t, watcher)
	drain(t, sys)
}

type panickingLog struct{ slog.Handler }

func (panickingLog) Enabled(context.Context, slog.Level) bool  { return true }
func (panickingLog) Handle(context.Context, slog.Record) error { panic("log") }

func TestLoggerMayPanic(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t, mailbox.WithLogger(slog.New(panickingLog{})))
		ref := spawn(t, sys, "worker", do)
		sendAll(t, ref, slices.Repeat([]job{fails}, 100)...)
		time.Sleep(time.Minute)
		assert.EqualValues(t, 100, sys.Stats().Failed)
		drain(t, sys)
	})
}
