// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package consoletest_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/console"
	"github.com/waybill-go/waybill/mailbox/timings"
	"github.com/waybill-go/waybill/sampling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recipients is how many sessions a broadcast has.
const recipients = 100

// world is a program with a guild, its sessions, and a console.
type world struct {
	console *console.Console
	control *sampling.Control
	tracer  trace.Tracer
	guild   mailbox.Ref[messageCreate]
	handled chan struct{}
	url     string
}

type messageCreate struct{ Content string }

func newWorld(t *testing.T) *world {
	t.Helper()
	control, err := sampling.NewControl(sampling.Config{Kinds: map[string]sampling.KindConfig{
		"guild": {TimeOneIn: 1}, "session": {TimeOneIn: 10},
	}})
	require.NoError(t, err)
	store := timings.New(timings.Config{})
	w := &world{control: control, handled: make(chan struct{}, recipients)}
	w.console = console.New(console.Config{Title: "A test", Bytes: 64 << 20, Control: control, AllowChanges: true, Timings: store})
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(w.console),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "guild"))))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(w.console.MetricReader()))
	w.tracer = tracers.Tracer("test")
	sys := mailbox.NewSystem(mailbox.WithTracerProvider(tracers), mailbox.WithMeterProvider(meters),
		mailbox.WithControl(control), mailbox.WithTimings(store))
	w.spawn(t, sys)
	server := httptest.NewServer(http.StripPrefix("/debug/waybill", w.console))
	w.url = server.URL + "/debug/waybill/"
	t.Cleanup(func() {
		require.NoError(t, sys.Shutdown(context.Background()))
		require.NoError(t, tracers.Shutdown(context.Background()))
		require.NoError(t, meters.Shutdown(context.Background()))
		server.CloseClientConnections()
		server.Close()
	})
	return w
}

// spawn starts a guild, which hands on each message to its sessions.
func (w *world) spawn(t *testing.T, sys *mailbox.System) {
	t.Helper()
	sessions, err := mailbox.NewGroup[messageCreate](sys, "sessions")
	require.NoError(t, err)
	kind, err := mailbox.NewKind[messageCreate](sys, "session")
	require.NoError(t, err)
	for i := range recipients {
		ref, err := kind.Spawn(strconv.Itoa(i), func(context.Context, messageCreate) error {
			w.handled <- struct{}{}
			return nil
		})
		require.NoError(t, err)
		require.NoError(t, sessions.Join(ref))
	}
	guilds, err := mailbox.NewKind[messageCreate](sys, "guild")
	require.NoError(t, err)
	w.guild, err = guilds.Spawn("14", func(ctx context.Context, m messageCreate) error {
		sessions.Broadcast(ctx, m)
		return nil
	})
	require.NoError(t, err)
}

// broadcast posts to the guild, waits until all sessions have got it, and returns the ID of
// the trace.
func (w *world) broadcast(t *testing.T) string {
	t.Helper()
	ctx, span := w.tracer.Start(context.Background(), "POST /messages")
	require.NoError(t, w.guild.Send(ctx, messageCreate{"hello"}))
	for range recipients {
		<-w.handled
	}
	span.End()
	return span.SpanContext().TraceID().String()
}

// sampledOf returns how many recipients the broadcast of a trace sampled, once its span is there.
func (w *world) sampledOf(t *testing.T, id string) int {
	t.Helper()
	sampled := -1
	require.Eventually(t, func() bool {
		answer := httptest.NewRecorder()
		w.console.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/api/sampling", nil))
		var shown struct {
			Broadcasts []struct {
				TraceID string `json:"trace_id"`
				Sampled int    `json:"sampled"`
			} `json:"broadcasts"`
		}
		require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &shown))
		for _, b := range shown.Broadcasts {
			if b.TraceID == id {
				sampled = b.Sampled
			}
		}
		return sampled >= 0
	}, time.Minute, 10*time.Millisecond)
	return sampled
}

// eventuallyAlways waits until the configuration samples all recipients.
func (w *world) eventuallyAlways(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		c := w.control.Config()
		g, ok := c.Groups["sessions"]
		if !ok {
			g = c.DefaultGroup
		}
		return g.Curve.Probability(recipients) == 1
	}, time.Minute, 10*time.Millisecond)
}

// stubbed is a span that is made by hand.
type stubbed = tracetest.SpanStub

type option func(*stubbed)

// stub returns span n below span parent, or a root if that is 0. at and took are milliseconds.
func stub(n, parent int, name string, at, took float64, opts ...option) stubbed {
	start := time.Now().Truncate(time.Second).Add(time.Duration(at * float64(time.Millisecond)))
	s := stubbed{Name: name, StartTime: start, EndTime: start.Add(time.Duration(took * float64(time.Millisecond)))}
	s.SpanContext = s.SpanContext.WithSpanID(spanID(n))
	if parent > 0 {
		s.Parent = s.Parent.WithSpanID(spanID(parent))
	}
	for _, o := range opts {
		o(&s)
	}
	return s
}

func inService(name string) option {
	return func(s *stubbed) { s.Resource = resource.NewSchemaless(attribute.String("service.name", name)) }
}

func spanID(n int) (id trace.SpanID) {
	binary.BigEndian.PutUint64(id[:], uint64(n))
	return id
}

// record gives spans to the console as those of one trace, and returns its ID.
func (w *world) record(stubs ...stubbed) string {
	var id trace.TraceID
	binary.BigEndian.PutUint64(id[:], rand.Uint64()|1)
	for _, s := range stubs {
		s.SpanContext = s.SpanContext.WithTraceID(id).WithTraceFlags(trace.FlagsSampled)
		if s.Parent.HasSpanID() {
			s.Parent = s.Parent.WithTraceID(id).WithTraceFlags(trace.FlagsSampled)
		}
		w.console.OnEnd(s.Snapshot())
	}
	return id.String()
}
