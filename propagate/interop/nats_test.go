// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

const subject = "greetings"

func connectNATS(t *testing.T) *nats.Conn {
	t.Helper()
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true})
	require.NoError(t, err)
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	require.True(t, srv.ReadyForConnections(time.Minute))
	conn, err := nats.Connect(srv.ClientURL())
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn
}

// openNATS publishes and subscribes by hand: nats.go has no instrumentation.
func openNATS(t *testing.T, s *site) wire {
	conn := connectNATS(t)
	_, err := conn.Subscribe(subject, func(m *nats.Msg) {
		ctx := s.propagator.Extract(context.Background(), propagate.MetadataCarrier(m.Header))
		ctx, span := s.tracer().Start(ctx, "process "+subject, trace.WithSpanKind(trace.SpanKindConsumer))
		defer span.End()
		s.arrive(ctx, string(m.Data))
	})
	require.NoError(t, err)
	require.NoError(t, conn.Flush())
	return wire{
		send: func(ctx context.Context, body string) {
			m := nats.NewMsg(subject)
			m.Data = []byte(body)
			for _, h := range leftovers {
				m.Header.Add(h.key, h.value)
				m.Header.Add(h.key, h.value)
			}
			ctx, span := s.tracer().Start(ctx, "send "+subject, trace.WithSpanKind(trace.SpanKindProducer))
			defer span.End()
			s.propagator.Inject(ctx, propagate.MetadataCarrier(m.Header))
			require.NoError(t, conn.PublishMsg(m))
		},
		sendRaw: func(body string, headers ...pair) {
			m := nats.NewMsg(subject)
			m.Data = []byte(body)
			for _, h := range headers {
				m.Header.Add(h.key, h.value)
			}
			require.NoError(t, conn.PublishMsg(m))
		},
	}
}

// Many clients in Go treat NATS headers as those of net/http, which neither
// nats.go nor the server does. Messages of such a client are understood, and it
// understands ours where they are written as it expects.
func TestNATSClientsThatSpellAsNetHTTP(t *testing.T) {
	p := propagate.SampledFirst{}
	s := newSite(t, p)
	conn := connectNATS(t)
	sub, err := conn.SubscribeSync(subject)
	require.NoError(t, err)
	ctx, span := s.sender(t, sampled, state, "")
	defer span.End()
	for name, tt := range map[string]struct {
		write, read func(nats.Header) propagation.TextMapCarrier
	}{
		"theirs to ours": {
			func(h nats.Header) propagation.TextMapCarrier { return propagation.HeaderCarrier(h) },
			func(h nats.Header) propagation.TextMapCarrier { return propagate.MetadataCarrier(h) },
		},
		"ours to theirs": {
			func(h nats.Header) propagation.TextMapCarrier { return propagate.HeaderCarrier(h) },
			func(h nats.Header) propagation.TextMapCarrier { return propagation.HeaderCarrier(h) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := nats.NewMsg(subject)
			p.Inject(ctx, tt.write(m.Header))
			require.NoError(t, conn.PublishMsg(m))
			got, err := sub.NextMsg(time.Minute)
			require.NoError(t, err)
			sc := trace.SpanContextFromContext(p.Extract(t.Context(), tt.read(got.Header)))
			assert.Equal(t, span.SpanContext().SpanID(), sc.SpanID())
			assert.Equal(t, state, sc.TraceState().String())
			isSampled, ok := propagate.PeekHeader(got.Header)
			assert.True(t, isSampled && ok)
		})
	}
}
