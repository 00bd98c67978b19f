// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/mailbox"
)

// exception returns the attributes of span's only event.
func exception(t *testing.T, span tracetest.SpanStub) map[attribute.Key]any {
	t.Helper()
	require.Len(t, span.Events, 1)
	require.Equal(t, "exception", span.Events[0].Name)
	return attributes(t, tracetest.SpanStub{Attributes: span.Events[0].Attributes})
}

func TestSpansOfFailures(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	const errorString = "*errors.errorString"
	for name, test := range map[string]struct {
		fault                     job
		status, exception, ofType string
		panicked                  bool
	}{
		"error":      {fails, "spilt", "spilt", errorString, false},
		"panic":      {func(context.Context) error { return bottomless(300) }, "panic: spilt", "spilt", errorString, true},
		"long panic": {func(context.Context) error { panic(long) }, "panic: " + long, long, "string", true},
		"exit":       {exits, mailbox.ErrGoexit.Error(), mailbox.ErrGoexit.Error(), errorString, false},
	} {
		t.Run(name, func(t *testing.T) {
			rec := record(t)
			sys := rec.system()
			root := rec.sent(spawn(t, sys, "worker", do), test.fault)
			drain(t, sys)
			span := rec.one("worker job")
			requireChild(t, root, span)
			assert.Equal(t, codes.Error, span.Status.Code)
			assert.Equal(t, test.status, span.Status.Description)
			assert.False(t, span.EndTime.IsZero())
			event := exception(t, span)
			assert.Equal(t, test.ofType, event["exception.type"])
			assert.Equal(t, test.exception, event["exception.message"])
			stack, ok := event["exception.stacktrace"].(string)
			assert.Equal(t, test.panicked, ok)
			if name == "panic" {
				assert.Greater(t, len(stack), 2<<10, "cut as the SDK's")
				assert.Contains(t, stack, "bottomless")
				assert.Contains(t, stack, "TestSpansOfFailures", "where it began is missing")
			}
		})
	}
}

func TestFailureIsOnItsOwnSpanOnly(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	ref := spawn(t, sys, "worker", do, mailbox.WithPanicPolicy(mailbox.Continue))
	rec.sent(ref, slices.Concat([]job{panics}, nothings(1), []job{fails}, nothings(2), []job{exits}, nothings(1))...)
	drain(t, sys)
	var failed []bool
	for _, span := range rec.all("worker job") {
		failed = append(failed, span.Status.Code == codes.Error)
		assert.Equal(t, span.Status.Code == codes.Error, len(span.Events) > 0)
	}
	assert.Equal(t, []bool{true, false, true, false, false, true, false}, failed)
}

// A panic's stack is on the span of the handler that panicked; for those who
// called it, it is an error.
func TestAnothersPanicHasNoStackHere(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	back, front := spawn(t, sys, "back", do), spawn(t, sys, "front", do)
	rec.sent(front, func(ctx context.Context) error {
		_, err := call(ctx, back, unanswered(panics))
		return err
	})
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
