// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package failuretest_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// sentHeader says when a message was sent, by the sender's clock.
const sentHeader = "waybill-sent"

// What must hold when the clocks of two nodes are a minute apart: no wait is negative; what is
// the difference of two clocks says so, and the waits by one clock stay right; and calls have
// the time that their callers give them. The sender's clock is moved by a relay that shifts what
// the messages say of it.
func TestClocksDiffer(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"ahead": time.Minute, "behind": -time.Minute} {
		t.Run(name, func(t *testing.T) {
			s := natstest.Start(t, natstest.Options{})
			relayShifted(t, s.Conn(t), ahead)
			spans := tracetest.NewSpanRecorder()
			provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
			receiver := tracedNode(t, "receiver", s.Conn(t), provider)
			sender := tracedNode(t, "sender", s.Conn(t), provider)
			process, err := mailbox.Spawn(receiver.sys, "sink", func(_ context.Context, message any) error {
				if m, isAsk := message.(ask); isAsk {
					m.reply.Answer(1)
				}
				return nil
			})
			require.NoError(t, err)
			_, err = remote.Serve(receiver.Node, "sink", process, orders)
			require.NoError(t, err)
			require.NoError(t, receiver.Conn().Flush())
			to, err := remote.NewRef(sender.Node, "sink", "shifted", orders)
			require.NoError(t, err)

			ctx, root := provider.Tracer("test").Start(t.Context(), "post")
			require.NoError(t, to.Send(ctx, order{Seq: 1}))
			timed, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			_, err = mailbox.Call(timed, to, func(r mailbox.Reply[int64]) any { return ask{r} })
			require.NoError(t, err)
			root.End()

			handlings := map[string]sdktrace.ReadOnlySpan{}
			require.Eventually(t, func() bool {
				for _, span := range spans.Ended() {
					if _, isHandling := attributeOf(span, "waybill.queue.duration"); isHandling {
						handlings[span.Name()] = span
					}
				}
				return len(handlings) == 2
			}, patience, poll)
			for _, span := range handlings {
				assert.Equal(t, root.SpanContext().TraceID(), span.SpanContext().TraceID())
				checkWaits(t, span, ahead)
			}
		})
	}
}

// checkWaits checks the waits of a message whose sender's clock is ahead by so much.
func checkWaits(t *testing.T, span sdktrace.ReadOnlySpan, ahead time.Duration) {
	t.Helper()
	queue, _ := attributeOf(span, "waybill.queue.duration")
	network, has := attributeOf(span, "waybill.network.duration")
	require.True(t, has, span.Name())
	crossed, _ := attributeOf(span, "waybill.clocks.crossed")
	assert.True(t, crossed.AsBool(), span.Name())
	assert.GreaterOrEqual(t, queue.AsFloat64(), 0.0)
	assert.Less(t, queue.AsFloat64(), patience.Seconds())
	if ahead > 0 {
		assert.Zero(t, network.AsFloat64())
		return
	}
	assert.GreaterOrEqual(t, network.AsFloat64(), -ahead.Seconds())
	assert.Less(t, network.AsFloat64(), (patience - ahead).Seconds())
}

func attributeOf(span sdktrace.ReadOnlySpan, key attribute.Key) (attribute.Value, bool) {
	for _, attr := range span.Attributes() {
		if attr.Key == key {
			return attr.Value, true
		}
	}
	return attribute.Value{}, false
}

// relayShifted passes on what is sent to "shifted", as if the clock of its sender were ahead.
func relayShifted(t *testing.T, conn *nats.Conn, ahead time.Duration) {
	t.Helper()
	_, err := conn.Subscribe("shifted", func(m *nats.Msg) {
		sent, err := strconv.ParseInt(m.Header.Get(sentHeader), 10, 64)
		if !assert.NoError(t, err) {
			return
		}
		m.Header.Set(sentHeader, strconv.FormatInt(sent+int64(ahead), 10))
		assert.NoError(t, conn.PublishMsg(&nats.Msg{Subject: "sink", Reply: m.Reply, Header: m.Header, Data: m.Data}))
	})
	require.NoError(t, err)
	require.NoError(t, conn.Flush())
}

// tracedNode makes a node of this program whose spans go to provider, until the test ends.
func tracedNode(t *testing.T, id string, conn *nats.Conn, provider *sdktrace.TracerProvider) *node {
	t.Helper()
	sys := mailbox.NewSystem(mailbox.WithLogger(nil), mailbox.WithTracerProvider(provider))
	n, err := remote.NewNode(sys, conn, remote.WithID(id), remote.WithLogger(nil), remote.WithTracerProvider(provider))
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		assert.NoError(t, n.Close(ctx))
		assert.NoError(t, sys.Shutdown(ctx))
	})
	return &node{Node: n, sys: sys}
}
