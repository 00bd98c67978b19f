// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package readme_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/propagate"
)

// What the page on frames shows.

// socket has the frames that come in, and those that go out.
type socket struct{ in, out [][]byte }

func (s *socket) Read(context.Context) (frame []byte, err error) {
	if len(s.in) == 0 {
		return nil, errClosed
	}
	frame, s.in = s.in[0], s.in[1:]
	return frame, nil
}

func (s *socket) Write(_ context.Context, frame []byte) error {
	s.out = append(s.out, frame)
	return nil
}

var errClosed = errors.New("closed")

type (
	Post   struct{ Content string }
	Posted struct{ ID int }
)

// frames: config

// Pages that are ours, in the browsers of strangers.
var browsers = propagate.Boundary{Policy: propagate.ContinueIDs, Propagator: propagate.TraceContext{}}

var posts = wire.Config[Post]{
	Form:       wire.JSON,
	Boundary:   browsers,
	MaxHeader:  1 << 10,
	MaxMessage: 16 << 10,
}

// frames: end

func serveFrames(
	ctx context.Context, conn *socket, provider trace.TracerProvider, publish func(context.Context, Post) error,
) error {
	// frames: read
	handle := envelope.Handler(ctx, "handle post", publish, // func(context.Context, Post) error
		envelope.WithTracerProvider(browsers.TracerProvider(provider)),
		envelope.WithRootSpans()) // A page of yesterday sends bare posts.
	for {
		frame, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		post, err := posts.Decode(frame)
		if err == nil {
			err = handle(post)
		}
		if err != nil {
			return err // Or tell the page.
		}
	}
	// frames: end
}

func answerFrame(ctx context.Context, conn *socket, id int) error {
	// frames: write
	answers := wire.Config[Posted]{Form: wire.JSON}

	frame, err := answers.Append(nil, envelope.Wrap(ctx, Posted{ID: id}))
	if err != nil {
		return err
	}
	return conn.Write(ctx, frame)
	// frames: end
}

func relayFrame(ctx context.Context, conn *socket, post Post) error {
	// frames: binary
	relayed := wire.Config[Post]{} // Binary, around the JSON of the post.

	frame, err := relayed.Append(nil, envelope.Wrap(ctx, post))
	if err != nil {
		return err
	}
	return conn.Write(ctx, frame)
	// frames: end
}

func resampled(ratio float64) sdktrace.Sampler {
	// frames: sampler
	ours := sdktrace.TraceIDRatioBased(ratio)
	sampler := sdktrace.ParentBased(ours, sdktrace.WithRemoteParentSampled(ours))
	// frames: end
	return sampler
}

// TestFrames follows a post as the page shows it: in by a frame with a forged weight, the
// answer out, and on to another service in the binary form.
func TestFrames(t *testing.T) {
	const traceID, spanID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for _, tt := range []struct {
		ratio float64
		frame string
		spans int
		under string
	}{
		{1, `{"waybill:envelope":{"version":1,"traceparent":"00-%s-%s-03","tracestate":"waybill=w:1000;p:0.001;n:1000;d:1"},` +
			`"message":{"Content":"hello"}}`, 1, spanID},
		{0, `{"waybill:envelope":{"version":1,"traceparent":"00-%s-%s-03"},"message":{"Content":"hello"}}`, 0, ""},
		{1, `{"waybill:envelope":{"version":1,"traceparent":"00-%s-%s-02"},"message":{"Content":"hello"}}`, 0, ""},
		{1, `{"Content":"hello"}`, 1, "0000000000000000"},
	} {
		recorded := tracetest.NewSpanRecorder()
		provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(resampled(tt.ratio)), sdktrace.WithSpanProcessor(recorded))
		frame := tt.frame
		if tt.under != "0000000000000000" {
			frame = fmt.Sprintf(tt.frame, traceID, spanID)
		}
		conn := &socket{in: [][]byte{[]byte(frame)}}
		err := serveFrames(t.Context(), conn, provider, func(ctx context.Context, post Post) error {
			assert.Equal(t, Post{"hello"}, post)
			return errors.Join(answerFrame(ctx, conn, 7), relayFrame(ctx, conn, post))
		})
		require.ErrorIs(t, err, errClosed)
		spans := recorded.Ended()
		require.Len(t, spans, tt.spans, frame)
		require.Len(t, conn.out, 2)
		answer, err := wire.Config[Posted]{}.Decode(conn.out[0])
		require.NoError(t, err)
		relayed, err := wire.Config[Post]{}.Decode(conn.out[1])
		require.NoError(t, err)
		assert.Equal(t, Posted{7}, answer.Message())
		assert.Equal(t, Post{"hello"}, relayed.Message())
		if tt.spans == 0 {
			assert.False(t, answer.Header().SpanContext().IsSampled())
			continue
		}
		assert.Equal(t, tt.under, spans[0].Parent().SpanID().String())
		assert.Equal(t, spans[0].SpanContext().SpanID(), answer.Header().SpanContext().SpanID())
		assert.Equal(t, spans[0].SpanContext().SpanID(), relayed.Header().SpanContext().SpanID())
		for _, kv := range spans[0].Attributes() {
			assert.NotEqual(t, attribute.Key("waybill.fanout.weight"), kv.Key)
		}
		assert.Zero(t, spans[0].SpanContext().TraceState().Len())
	}
}
