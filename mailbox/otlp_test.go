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
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/otlptest"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// batching exports to receiver as a service in production would.
func batching(t *testing.T, receiver *otlptest.Receiver) *sdktrace.TracerProvider {
	t.Helper()
	exporter, err := otlptracegrpc.New(t.Context(),
		otlptracegrpc.WithEndpoint(receiver.Endpoint()), otlptracegrpc.WithInsecure())
	require.NoError(t, err)
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(sdktrace.NewBatchSpanProcessor(exporter)),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "guild"))))
	t.Cleanup(func() { assert.NoError(t, provider.Shutdown(context.Background())) })
	return provider
}

// A whole story as a collector gets it: a post is sent to a guild, which asks
// the store, tells the sessions, of which one is full, and fails in the end.
func TestTreeAsACollectorReceivesIt(t *testing.T) {
	receiver := otlptest.New(t)
	provider := batching(t, receiver)
	sys := newSystem(t, mailbox.WithTracerProvider(provider))

	store := spawn(t, sys, "store", do)
	sessions := groupOf(t, sys, "session", 3, sampling.GroupConfig{Curve: sampling.Always()})
	full, release := fill(t, sys, 1)
	require.NoError(t, sessions.Join(full))
	kind := newKind[order](t, sys, "guild")
	guild, err := kind.Spawn("guild-1", func(ctx context.Context, o order) error {
		n, err := call(ctx, store, func(_ context.Context, r mailbox.Reply[int]) error {
			r.Answer(o.n + 1)
			return nil
		})
		assert.NoError(t, err)
		assert.Equal(t, 42, n)
		assert.Equal(t, mailbox.Delivery{Size: 4, Delivered: 3, Refused: 1, Full: 1, Sampled: 4}, sessions.Broadcast(ctx, nothing))
		return errSpilt
	})
	require.NoError(t, err)

	ctx, root := provider.Tracer("api").Start(t.Context(), "POST", trace.WithSpanKind(trace.SpanKindServer))
	require.NoError(t, guild.Send(ctx, order{41}))
	root.End()
	require.NoError(t, guild.Stop(t.Context()))
	release()
	drain(t, sys)
	require.NoError(t, provider.ForceFlush(t.Context()))
	spans, err := receiver.WaitFor(t.Context(), 9)
	require.NoError(t, err)

	assert.Equal(t, strings.TrimSpace(`
POST (server)
  guild order (consumer) error
    broadcast sessions (producer)
      session job (consumer)
      session job (consumer)
      session job (consumer)
      worker job (consumer) error refused_full
    call store job (internal)
      store job (internal)`), waterfall(t, spans))

	byName := make(map[string]otlptest.Span)
	for _, s := range spans {
		byName[s.Name] = s
		assert.Equal(t, "guild", s.Service)
		assert.Equal(t, root.SpanContext().TraceID(), s.TraceID)
		assert.False(t, s.End.Before(s.Start), s.Name)
	}
	handling := byName["guild order"]
	assert.Equal(t, "github.com/waybill-go/waybill/mailbox", handling.Scope)
	assert.Equal(t, otlptest.Status{Code: codes.Error, Message: "spilt"}, handling.Status)
	require.Len(t, handling.Events, 1)
	assert.Equal(t, "exception", handling.Events[0].Name)
	assert.Equal(t, "spilt", handling.Events[0].Attributes["exception.message"])
	assert.Equal(t, "guild", handling.Attributes["waybill.process.kind"])
	assert.Equal(t, "guild-1", handling.Attributes["waybill.process.id"])
	assert.Equal(t, "order", handling.Attributes["waybill.message.type"])
	assert.IsType(t, 0.0, handling.Attributes["waybill.queue.duration"])
	assert.Equal(t, map[string]any{
		"waybill.fanout.size": int64(4), "waybill.fanout.sampled": int64(4), "waybill.fanout.method": "all",
		"waybill.fanout.delivered": int64(3), "waybill.fanout.refused": int64(1),
	}, byName["broadcast sessions"].Attributes)
	session := byName["session job"]
	assert.Equal(t, 1.0, session.Attributes["waybill.fanout.weight"])
	assert.Equal(t, 1.0, session.Attributes["waybill.fanout.probability"])
	assert.Equal(t, int64(4), session.Attributes["waybill.fanout.size"])
	assert.Equal(t, int64(1), session.Attributes["waybill.fanout.depth"])
	assert.Contains(t, session.TraceState, "waybill=")
}

// waterfall draws the tree of spans, siblings by name.
func waterfall(t *testing.T, spans []otlptest.Span) string {
	t.Helper()
	children := make(map[trace.SpanID][]otlptest.Span)
	for _, s := range spans {
		children[s.ParentID] = append(children[s.ParentID], s)
	}
	var lines []string
	var draw func(parent trace.SpanID, indent string)
	draw = func(parent trace.SpanID, indent string) {
		slices.SortFunc(children[parent], func(a, b otlptest.Span) int { return strings.Compare(a.Name, b.Name) })
		for _, s := range children[parent] {
			line := indent + s.Name + " (" + s.Kind.String() + ")"
			if s.Status.Code == codes.Error {
				line += " error"
			}
			if reason, ok := s.Attributes["waybill.late.reason"].(string); ok {
				line += " " + reason
			}
			lines = append(lines, line)
			draw(s.SpanID, indent+"  ")
		}
	}
	draw(trace.SpanID{}, "")
	require.Len(t, lines, len(spans), "some have no parent here:\n%s", strings.Join(lines, "\n"))
	return strings.Join(lines, "\n")
}
