// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/mailbox"
)

// handledSpan sends j in a trace and returns the span of its handling.
func handledSpan(t *testing.T, j job) tracetest.SpanStub {
	t.Helper()
	rec := record(t)
	sys := rec.system()
	ref := spawn(t, sys, "worker", do)
	ctx, root := rec.start()
	require.NoError(t, ref.Send(ctx, j))
	root.End()
	drain(t, sys)
	span := rec.one("worker job")
	requireChild(t, root.SpanContext(), span)
	return span
}

// exception returns the attributes of span's only event.
func exception(t *testing.T, span tracetest.SpanStub) map[attribute.Key]any {
	t.Helper()
	require.Len(t, span.Events, 1)
	require.Equal(t, "exception", span.Events[0].Name)
	return attributes(t, tracetest.SpanStub{Attributes: span.Events[0].Attributes})
}

func TestSpanOfAnError(t *testing.T) {
	span := handledSpan(t, fails)
	assert.Equal(t, codes.Error, span.Status.Code)
	assert.Equal(t, "spilt", span.Status.Description)
	assert.Equal(t, map[attribute.Key]any{
		"exception.type": "*errors.errorString", "exception.message": "spilt",
	}, exception(t, span))
}

func TestSpanOfAPanicHasTheWholeStack(t *testing.T) {
	span := handledSpan(t, func(context.Context) error { return bottomless(300) })
	assert.Equal(t, codes.Error, span.Status.Code)
	assert.Equal(t, "panic: spilt", span.Status.Description)
	event := exception(t, span)
	assert.Equal(t, "*errors.errorString", event["exception.type"])
	assert.Equal(t, "spilt", event["exception.message"])
	stack, _ := event["exception.stacktrace"].(string)
	assert.Greater(t, len(stack), 2<<10, "cut as the SDK's")
	assert.Contains(t, stack, "bottomless")
	assert.Contains(t, stack, "TestSpanOfAPanicHasTheWholeStack", "where it began is missing")
}

func TestSpanOfAnExit(t *testing.T) {
	span := handledSpan(t, exits)
	assert.Equal(t, codes.Error, span.Status.Code)
	assert.Equal(t, mailbox.ErrGoexit.Error(), span.Status.Description)
	assert.Equal(t, mailbox.ErrGoexit.Error(), exception(t, span)["exception.message"])
	assert.False(t, span.EndTime.IsZero())
}

func TestFailureIsOnItsOwnSpanOnly(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	ref := spawn(t, sys, "worker", do, mailbox.WithPanicPolicy(mailbox.Continue))
	ctx, root := rec.start()
	for _, j := range []job{nothing, panics, nothing, fails, nothing, exits, nothing} {
		require.NoError(t, ref.Send(ctx, j))
	}
	root.End()
	drain(t, sys)
	var failed []bool
	for _, span := range rec.all("worker job") {
		failed = append(failed, span.Status.Code == codes.Error)
		assert.Equal(t, span.Status.Code == codes.Error, len(span.Events) > 0)
	}
	assert.Equal(t, []bool{false, true, false, true, false, true, false}, failed)
}

// A panic's stack is on the span of the handler that panicked; for those who
// called it, it is an error.
func TestAnothersPanicHasNoStackHere(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	back, front := spawn(t, sys, "back", do), spawn(t, sys, "front", do)
	ctx, root := rec.start()
	require.NoError(t, front.Send(ctx, func(ctx context.Context) error {
		_, err := mailbox.Call(ctx, back, func(mailbox.Reply[int]) job { return panics })
		return err
	}))
	root.End()
	drain(t, sys)
	assert.Equal(t, "panic: spilt", rec.one("back job").Status.Description)
	for _, name := range []string{"call back job", "front job"} {
		span := rec.one(name)
		assert.Equal(t, codes.Error, span.Status.Code, name)
		assert.Equal(t, "mailbox: handler panicked: spilt", span.Status.Description, name)
		event := exception(t, span)
		assert.Equal(t, "*mailbox.PanicError", event["exception.type"], name)
		assert.NotContains(t, event, attribute.Key("exception.stacktrace"), name)
	}
}

func TestSpanOfALongPanicValueIsWhole(t *testing.T) {
	value := strings.Repeat("x", 10_000)
	span := handledSpan(t, func(context.Context) error { panic(value) })
	assert.Equal(t, value, exception(t, span)["exception.message"])
}
