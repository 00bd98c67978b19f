// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/mailbox"
)

// ear hears the events of a system.
type ear struct {
	mu     sync.Mutex
	events []mailbox.Event
}

func (e *ear) hook(event mailbox.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = append(e.events, event)
}

// heard returns what was heard since the last time.
func (e *ear) heard() []mailbox.Event {
	settle()
	e.mu.Lock()
	defer e.mu.Unlock()
	events := e.events
	e.events = nil
	return events
}

// one returns the only event that was heard.
func (e *ear) one(t *testing.T) mailbox.Event {
	t.Helper()
	events := e.heard()
	require.Len(t, events, 1)
	return events[0]
}

func TestEventsOfHandlers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		var heard ear
		sys := rec.system(mailbox.WithEventHook(heard.hook), mailbox.WithLogger(nil))
		ref := spawnAs(t, sys, "worker", "seven", do, mailbox.WithPanicPolicy(mailbox.Continue))

		ctx, root := rec.start()
		require.NoError(t, ref.Send(ctx, fails))
		e := heard.one(t)
		root.End()
		assert.Equal(t, time.Now(), e.Time)
		e.Time = time.Time{}
		assert.Equal(t, mailbox.Event{
			Type: mailbox.HandlerFailed, Kind: "worker", ID: "seven", Message: "job", Err: errSpilt,
			SpanContext: trace.SpanContextFromContext(trace.ContextWithSpanContext(ctx, e.SpanContext)),
		}, e)
		assert.Equal(t, rec.one("worker job").SpanContext.SpanID(), e.SpanContext.SpanID(), "that of the handling")
		assert.False(t, e.Panicked())

		require.NoError(t, ref.Send(t.Context(), panics))
		e = heard.one(t)
		require.ErrorIs(t, e.Err, errSpilt)
		assert.True(t, e.Panicked())
		assert.False(t, e.SpanContext.IsValid(), "it has no trace")

		require.NoError(t, ref.Send(t.Context(), exits))
		require.ErrorIs(t, heard.one(t).Err, mailbox.ErrGoexit)

		sendAll(t, ref, nothing)
		assert.Empty(t, heard.heard())
		drain(t, sys)
		assert.Empty(t, heard.heard(), "a graceful end is no failure")
	})
}

func TestEventsOfMessagesAndEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var heard ear
		sys := newSystem(t, mailbox.WithEventHook(heard.hook), mailbox.WithLogger(nil))
		full := spawn(t, sys, "full", do, mailbox.WithCapacity(1), mailbox.WithOverflow(mailbox.Refuse))
		release := keepBusy(t, full)
		sendAll(t, full, nothing)
		require.ErrorIs(t, full.Send(t.Context(), nothing), mailbox.ErrFull)
		e := heard.one(t)
		assert.Equal(t, mailbox.MessageRefused, e.Type)
		assert.Equal(t, "refused_full", e.Reason)
		require.ErrorIs(t, e.Err, mailbox.ErrFull)
		release()
		assert.Empty(t, heard.heard())

		release = keepBusy(t, full)
		sendAll(t, full, nothing)
		full.Kill()
		release()
		events := heard.heard()
		require.Len(t, events, 2)
		assert.Equal(t, mailbox.MessageDead, events[0].Type)
		assert.Equal(t, "dead_letter_killed", events[0].Reason)
		assert.Equal(t, mailbox.ProcessEnded, events[1].Type)
		require.ErrorIs(t, events[1].Err, mailbox.ErrKilled)
		require.ErrorIs(t, full.Send(t.Context(), nothing), mailbox.ErrStopped)
		assert.Equal(t, "refused_stopped", heard.one(t).Reason)

		fragile := spawn(t, sys, "fragile", do, mailbox.WithErrorPolicy(mailbox.Terminate))
		require.NoError(t, fragile.Send(t.Context(), fails))
		events = heard.heard()
		require.Len(t, events, 2)
		assert.Equal(t, mailbox.HandlerFailed, events[0].Type)
		assert.Equal(t, mailbox.ProcessEnded, events[1].Type)
		require.ErrorIs(t, events[1].Err, errSpilt)
		drain(t, sys)
	})
}

func TestEventsHaveNames(t *testing.T) {
	for i, name := range []string{
		"handler failed", "message refused", "message never handled", "process ended", "save failed", "close failed", "unknown event",
	} {
		assert.Equal(t, name, (mailbox.HandlerFailed + mailbox.EventType(i)).String())
	}
}

func TestHookHearsWhatItWants(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var heard ear
		sys := newSystem(t, mailbox.WithEventHook(heard.hook, mailbox.ProcessEnded, mailbox.MessageDead))
		ref := spawn(t, sys, "worker", do)
		require.NoError(t, ref.Send(t.Context(), fails))
		assert.Empty(t, heard.heard())
		ref.Kill()
		assert.Equal(t, mailbox.ProcessEnded, heard.one(t).Type)
		require.ErrorIs(t, ref.Send(t.Context(), nothing), mailbox.ErrStopped)
		assert.Empty(t, heard.heard())
		drain(t, sys)
	})
}

// Whatever a hook does, the processes go on, and what it misses is counted.
func TestHooksHarmNobody(t *testing.T) {
	release := make(chan struct{})
	for name, hook := range map[string]func(mailbox.Event){
		"panics": func(mailbox.Event) { panic("hook") },
		"exits":  func(mailbox.Event) { runtime.Goexit() },
		"blocks": func(mailbox.Event) { <-release },
	} {
		t.Run(name, func(t *testing.T) {
			const messages = 3000
			sys := mailbox.NewSystem(mailbox.WithEventHook(hook), mailbox.WithLogger(nil))
			ref := spawn(t, sys, "worker", do, mailbox.WithCapacity(messages))
			sendAll(t, ref, slices.Repeat([]job{fails}, messages)...)
			pass(t, ref)
			s := sys.Stats()
			assert.EqualValues(t, messages, s.Failed)
			if name == "blocks" {
				assert.GreaterOrEqual(t, s.EventsLost, uint64(messages-1024-1))
			}
			start := time.Now()
			drain(t, sys)
			assert.Less(t, time.Since(start), patience/2, "it does not wait for ever")
		})
	}
	close(release)
}

func TestShutdownWaitsForEvents(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		heard := 0
		sys := mailbox.NewSystem(mailbox.WithLogger(nil), mailbox.WithEventHook(func(mailbox.Event) {
			time.Sleep(time.Millisecond)
			heard++
		}))
		ref := spawn(t, sys, "worker", do)
		sendAll(t, ref, slices.Repeat([]job{fails}, 100)...)
		drain(t, sys)
		assert.Equal(t, 100, heard)
	})
}

// logRecords are what a system has logged, by line.
func logRecords(t *testing.T, b *bytes.Buffer) (list []map[string]any) {
	t.Helper()
	settle()
	for line := range strings.Lines(b.String()) {
		var r map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		list = append(list, r)
	}
	b.Reset()
	return list
}

func TestEventsAreLogged(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var b bytes.Buffer
		rec := record(t)
		sys := rec.system(mailbox.WithLogger(slog.New(slog.NewJSONHandler(&b, nil))))
		ref := spawnAs(t, sys, "worker", "seven", do)
		rec.sent(ref, fails, func(context.Context) error { panic("spilt") })

		list := logRecords(t, &b)
		require.Len(t, list, 3)
		spans := rec.all("worker job")
		require.Len(t, spans, 2)
		for i, level := range []string{"WARN", "ERROR"} {
			r := list[i]
			assert.Equal(t, "mailbox: handler failed", r["msg"])
			assert.Equal(t, level, r["level"])
			assert.Equal(t, "worker", r["waybill.process.kind"])
			assert.Equal(t, "seven", r["waybill.process.id"])
			assert.Equal(t, "job", r["waybill.message.type"])
			assert.Contains(t, r["error"], "spilt")
			assert.Equal(t, spans[i].SpanContext.TraceID().String(), r["trace_id"])
			assert.Equal(t, spans[i].SpanContext.SpanID().String(), r["span_id"])
		}
		assert.NotContains(t, list[0], "stack")
		assert.Contains(t, list[1]["stack"], "TestEventsAreLogged")
		assert.Equal(t, "mailbox: process ended", list[2]["msg"])
		assert.Equal(t, "ERROR", list[2]["level"])
		assert.NotContains(t, list[2], "stack", "once is enough")
		drain(t, sys)
	})
}

// A kind that fails all the time does not fill a disk, and it is said how much it
// would have been.
func TestLogsAreBoundedByKind(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var b bytes.Buffer
		sys := newSystem(t, mailbox.WithLogger(slog.New(slog.NewJSONHandler(&b, nil))))
		noisy, quiet := spawn(t, sys, "noisy", do), spawn(t, sys, "quiet", do)
		const failures = 500
		for range failures {
			require.NoError(t, noisy.Send(t.Context(), fails))
			settle()
		}
		require.NoError(t, quiet.Send(t.Context(), fails))
		time.Sleep(2 * time.Second)
		list := logRecords(t, &b)
		written, leftOut := 0, 0.0
		for _, r := range list {
			if r["msg"] == "mailbox: events left out" {
				assert.Equal(t, "noisy", r["waybill.process.kind"])
				leftOut += r["count"].(float64)
			} else {
				written++
			}
		}
		assert.Equal(t, 10+1, written)
		assert.InDelta(t, failures-10, leftOut, 0)
		require.NoError(t, noisy.Send(t.Context(), fails))
		assert.Len(t, logRecords(t, &b), 1, "later there is room again")
		drain(t, sys)
	})
}

// Without an option, panics and what ends by a failure are logged, and nothing else.
func TestWorstIsLoggedByDefault(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var b bytes.Buffer
		before := slog.Default()
		slog.SetDefault(slog.New(slog.NewJSONHandler(&b, nil)))
		defer slog.SetDefault(before)
		sys := newSystem(t)
		ref := spawn(t, sys, "worker", do)
		require.NoError(t, ref.Send(t.Context(), fails))
		ref.Kill()
		require.ErrorIs(t, ref.Send(t.Context(), nothing), mailbox.ErrStopped)
		assert.Empty(t, logRecords(t, &b))
		require.NoError(t, spawn(t, sys, "worker", do).Send(t.Context(), func(context.Context) error { panic("spilt") }))
		list := logRecords(t, &b)
		require.Len(t, list, 2)
		assert.Equal(t, "mailbox: handler failed", list[0]["msg"])
		assert.Equal(t, "mailbox: process ended", list[1]["msg"])
		drain(t, sys)
	})
}
