// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// pipes is a listener whose connections have no buffers, so that a subscriber is slow as soon
// as it does not read.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	close(p.closed)
	return nil
}

func (pipes) Addr() net.Addr { return &net.UnixAddr{} }

// subscriber reads events by hand.
type subscriber struct {
	t     *testing.T
	conn  net.Conn
	lines *bufio.Scanner
}

func (p pipes) subscribe(t *testing.T) *subscriber {
	t.Helper()
	conn, other := net.Pipe()
	p.conns <- other
	_, err := io.WriteString(conn, "GET /events HTTP/1.1\r\nHost: broker\r\n\r\n")
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil) //nolint:bodyclose // The connection is closed.
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	assert.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	s := &subscriber{t, conn, bufio.NewScanner(response.Body)}
	assert.Equal(t, ": welcome", s.next())
	return s
}

// next returns the next event, with spaces between its lines, or "" at the end of the stream.
func (s *subscriber) next() string {
	var event []string
	for s.lines.Scan() && s.lines.Text() != "" {
		event = append(event, s.lines.Text())
	}
	return strings.Join(event, " ")
}

// newsroom publishes in sampled traces, and all subscribers are sampled.
type newsroom struct {
	t        *testing.T
	broker   *broker
	recorder *tracetest.SpanRecorder
	tracer   trace.Tracer
}

// inBubble calls f with a broker, in a bubble with a clock of its own.
func inBubble(t *testing.T, f func(*testing.T, *newsroom, pipes)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := &newsroom{t: t, recorder: tracetest.NewSpanRecorder()}
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(n.recorder))
		otel.SetTracerProvider(provider)
		t.Cleanup(func() { otel.SetTracerProvider(noop.NewTracerProvider()) })
		n.tracer = provider.Tracer("newsroom")
		n.broker = newBroker(t, fanout.WithSampling(sampling.GroupConfig{Curve: sampling.Always()}))
		server, listener := newServer(newSubscriptions(n.broker)), pipes{make(chan net.Conn), make(chan struct{})}
		go serve(server, listener)
		f(t, n, listener)
		n.broker.close()
		assert.NoError(t, server.Shutdown(t.Context()))
	})
}

// publish publishes, and returns when all subscribers have done what they can.
func (n *newsroom) publish() fanout.Delivery {
	ctx, span := n.tracer.Start(n.t.Context(), "publish")
	defer span.End()
	_, d := n.broker.publish(ctx, "the news")
	synctest.Wait()
	return d
}

// spans returns the spans of that name.
func (n *newsroom) spans(name string) (spans []sdktrace.ReadOnlySpan) {
	for _, span := range n.recorder.Ended() {
		if span.Name() == name {
			spans = append(spans, span)
		}
	}
	return spans
}

// A subscriber that does not read is dropped. Once it reads again, it gets what was waiting
// for it, and is told that some news is missing.
func TestSlowSubscriberIsDroppedAndTold(t *testing.T) {
	inBubble(t, func(t *testing.T, n *newsroom, listener pipes) {
		fast, slow := listener.subscribe(t), listener.subscribe(t)
		const published = 1 + maxWaiting + 2 // One is being written, and two are too many.
		got := make(chan string, published)
		go func() {
			for range published {
				got <- fast.next()
			}
		}()
		for i := range published {
			d := n.publish()
			want := fanout.Delivery{Size: 2, Delivered: 2, Sampled: 2}
			switch i {
			case published - 2:
				want = fanout.Delivery{Size: 2, Delivered: 1, Refused: 1, Sampled: 2}
			case published - 1:
				want = fanout.Delivery{Size: 1, Delivered: 1, Sampled: 1}
			}
			assert.Equal(t, want, d, i)
			assert.Equal(t, fmt.Sprintf(`id: %d event: news data: {"id":%d,"text":"the news"}`, i+1, i+1), <-got)
		}
		for i := range 1 + maxWaiting {
			assert.Contains(t, slow.next(), fmt.Sprintf("id: %d ", i+1))
		}
		assert.Equal(t, "event: end data: "+errSlow.Error(), slow.next())
		assert.Empty(t, slow.next())
		synctest.Wait()
		assert.Len(t, n.spans("write news"), 2*published-2)
		late := n.spans("deliver news")
		require.Len(t, late, 1)
		assert.Equal(t, "refused_full", late[0].Status().Description)

		n.broker.close()
		assert.Equal(t, "event: end data: "+errClosed.Error(), fast.next())
	})
}

// A subscriber that never reads again loses its connection. The spans of all that it was sent
// say so.
func TestSubscriberThatNeverReads(t *testing.T) {
	inBubble(t, func(t *testing.T, n *newsroom, listener pipes) {
		listener.subscribe(t)
		const published = 3
		for range published {
			assert.Equal(t, 1, n.publish().Delivered)
		}
		assert.Empty(t, n.spans("write news"))
		time.Sleep(writeTime) // Of the bubble's clock.
		synctest.Wait()
		assert.Zero(t, n.publish().Size, "it has left")
		spans := n.spans("write news")
		require.Len(t, spans, published)
		for _, span := range spans {
			assert.Equal(t, codes.Error, span.Status().Code)
		}
	})
}

// A subscription lasts longer than the time-outs of requests, and a subscriber that goes
// leaves the broker.
func TestSubscriptionsLast(t *testing.T) {
	inBubble(t, func(t *testing.T, n *newsroom, listener pipes) {
		s := listener.subscribe(t)
		for range 10 {
			assert.Equal(t, ": beat", s.next())
		}
		go s.next()
		assert.Equal(t, 1, n.publish().Delivered)
		require.NoError(t, s.conn.Close())
		synctest.Wait()
		assert.Zero(t, n.publish().Size)
	})
}
