// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/handling"
	"github.com/waybill-go/waybill/mailbox"
)

// heard returns what OpenTelemetry's error handler is told from now on.
func heard(t *testing.T) func() []string {
	t.Helper()
	handling.ForgetReports()
	var mu sync.Mutex
	var all []string
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, err.Error())
	}))
	t.Cleanup(func() { otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {})) })
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

// line returns the file and the line of its caller, and so many lines on.
func line(on int) string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d: ", file, line+on)
}

// TestDebugReportsContextsFromOutside has a handler send with a context that it has not been
// given, in each way to send.
func TestDebugReportsContextsFromOutside(t *testing.T) {
	answer := func(r mailbox.Reply[int]) job { return func(context.Context) error { r.Answer(1); return nil } }
	for name, test := range map[string]struct {
		debug []mailbox.SystemOption
		from  func(own context.Context) context.Context
		told  int
	}{
		"background":    {[]mailbox.SystemOption{mailbox.WithDebug()}, func(context.Context) context.Context { return context.Background() }, 4},
		"kept":          {[]mailbox.SystemOption{mailbox.WithDebug()}, func(context.Context) context.Context { return t.Context() }, 4},
		"its own":       {[]mailbox.SystemOption{mailbox.WithDebug()}, func(own context.Context) context.Context { return own }, 0},
		"on purpose":    {[]mailbox.SystemOption{mailbox.WithDebug()}, envelope.Untraced, 0},
		"no debug mode": {nil, func(context.Context) context.Context { return context.Background() }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			told, rec := heard(t), record(t)
			sys := rec.system(test.debug...)
			other := spawn(t, sys, "other", do)
			group := newGroup[job](t, sys, "others")
			require.NoError(t, group.Join(other))
			var places []string
			ref := spawn(t, sys, "worker", do)
			ctx, root := rec.start()
			for range 2 { // Each place is told of once.
				require.NoError(t, ref.Send(ctx, func(own context.Context) error {
					ctx := test.from(own)
					places = []string{line(1), line(2), line(3), line(4)}
					_ = other.Send(ctx, nothing)
					_ = other.TrySend(ctx, nothing)
					group.Broadcast(ctx, nothing)
					_, err := mailbox.Call(ctx, other, answer)
					return err
				}))
				pass(t, ref)
			}
			root.End()
			drain(t, sys)
			require.Len(t, told(), test.told)
			for i, report := range told() {
				assert.Contains(t, report, places[i])
				assert.Contains(t, report, `kind "worker"`)
				assert.Contains(t, report, "debug_test.go")
			}
		})
	}
}

func TestDebugReportsAContextAfterItsHandler(t *testing.T) {
	told, rec := heard(t), record(t)
	for _, debug := range [][]mailbox.SystemOption{nil, {mailbox.WithDebug()}} {
		sys := rec.system(debug...)
		ref := spawn(t, sys, "worker", do)
		var kept, untraced context.Context
		ctx, root := rec.start()
		require.NoError(t, ref.Send(ctx, func(ctx context.Context) error {
			kept = ctx
			return ref.Send(ctx, nothing)
		}))
		require.NoError(t, ref.Send(t.Context(), func(ctx context.Context) error {
			untraced = ctx
			return nil
		}))
		pass(t, ref)
		require.NoError(t, ref.Send(untraced, nothing), "it has no span that could have ended")
		require.Empty(t, told())
		place := line(2)
		for range 2 {
			require.NoError(t, ref.Send(kept, nothing))
		}
		root.End()
		drain(t, sys)
		if debug == nil {
			require.Empty(t, told(), "negative control")
			continue
		}
		require.Len(t, told(), 1)
		assert.Contains(t, told()[0], place)
		assert.Contains(t, told()[0], "that has ended")
	}
}

// A handler that fails, panics or ends its goroutine ends its handling, too.
func TestDebugEndsEveryHandling(t *testing.T) {
	told, rec := heard(t), record(t)
	sys := rec.system(mailbox.WithDebug(), mailbox.WithLogger(nil))
	for name, end := range map[string]func() error{
		"error":  func() error { return assert.AnError },
		"panic":  func() error { panic("out of stock") },
		"Goexit": func() error { runtime.Goexit(); return nil },
	} {
		ref := spawn(t, sys, "worker", do, mailbox.WithPanicPolicy(mailbox.Continue))
		var kept context.Context
		ctx, root := rec.start()
		require.NoError(t, ref.Send(ctx, func(ctx context.Context) error {
			kept = ctx
			return end()
		}))
		pass(t, ref)
		require.NoError(t, ref.Send(t.Context(), func(context.Context) error {
			return ref.Send(context.Background(), nothing) // In no traced handling.
		}))
		pass(t, ref)
		require.Empty(t, told(), name)
		_ = envelope.Wrap(kept, 1)
		require.Len(t, told(), 1, name)
		told = heard(t)
		root.End()
	}
	drain(t, sys)
}

func TestDebugReportsALateProvider(t *testing.T) {
	defer otel.SetTracerProvider(noop.NewTracerProvider())
	otel.SetTracerProvider(noop.NewTracerProvider())
	told := heard(t)
	sampled := trace.ContextWithSpanContext(t.Context(), unsampled.WithTraceFlags(trace.FlagsSampled))
	place := line(1)
	sys := mailbox.NewSystem(mailbox.WithDebug())
	early, silent := newSystem(t, mailbox.WithDebug()), newSystem(t)
	send := func(ctx context.Context, sys *mailbox.System) {
		ref := spawn(t, sys, "worker", do)
		require.NoError(t, ref.Send(ctx, nothing))
		pass(t, ref)
	}
	send(sampled, sys)
	send(sampled, silent)
	send(t.Context(), early)
	otel.SetTracerProvider(record(t).provider)
	for range 2 {
		send(sampled, sys)
		send(sampled, silent)
		send(sampled, early)
	}
	require.Len(t, told(), 1)
	assert.Contains(t, told()[0], place)
	assert.Contains(t, told()[0], "a tracer provider was set after")
	drain(t, sys)
}
