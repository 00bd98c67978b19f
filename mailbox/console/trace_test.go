// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/console"
	"github.com/waybill-go/waybill/mailbox/timings"
	"github.com/waybill-go/waybill/sampling"
)

// drawn is a trace as a page gets it.
type drawn struct {
	TraceID     string `json:"trace_id"`
	Start       time.Time
	DurationNS  int64 `json:"duration_ns"`
	LeftOut     int   `json:"left_out"`
	Incomplete  bool
	Services    []string
	Explanation struct {
		Sentence string
		Path     []struct {
			SpanID string `json:"span_id"`
			FromNS int64  `json:"from_ns"`
			ToNS   int64  `json:"to_ns"`
			What   string
		}
	}
	Spans []struct {
		SpanID        string `json:"span_id"`
		ParentID      string `json:"parent_id"`
		Depth         int
		Service       string
		Name, Kind    string
		FromNS        int64 `json:"from_ns"`
		DurationNS    int64 `json:"duration_ns"`
		WaitNS        int64 `json:"wait_ns"`
		Weight        *float64
		Late, Process string
		Error         bool
		Links, Events int
		ParentMissing bool `json:"parent_missing"`
	}
}

func getJSON(t *testing.T, h http.Handler, target string, into any) {
	t.Helper()
	w := get(t, h, target)
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), into))
}

func draw(t *testing.T, h http.Handler, id string) (d drawn) {
	t.Helper()
	getJSON(t, h, "/api/traces/"+id, &d)
	return d
}

// A message waits for a process that is busy. The trace says so, and what the process was
// busy with.
func TestATraceIsExplained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		control, err := sampling.NewControl(sampling.Config{Default: sampling.KindConfig{TimeOneIn: 1}})
		require.NoError(t, err)
		store := timings.New(timings.Config{})
		con := console.New(console.Config{Timings: store, Control: control})
		tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(con))
		sys := mailbox.NewSystem(mailbox.WithTracerProvider(tracers), mailbox.WithControl(control), mailbox.WithTimings(store))
		guild, err := mailbox.NewKind[time.Duration](sys, "guild")
		require.NoError(t, err)
		ref, err := guild.Spawn("14", func(_ context.Context, takes time.Duration) error { time.Sleep(takes); return nil })
		require.NoError(t, err)

		time.Sleep(3 * time.Second)
		require.NoError(t, ref.Send(t.Context(), 20*time.Second)) // untraced
		ctx, root := tracers.Tracer("test").Start(t.Context(), "POST /messages")
		require.NoError(t, ref.Send(ctx, time.Second))
		root.End()
		require.NoError(t, sys.Shutdown(t.Context()))

		d := draw(t, con, root.SpanContext().TraceID().String())
		require.Len(t, d.Spans, 2)
		handling := d.Spans[1]
		assert.Equal(t, "guild Duration", handling.Name)
		assert.Equal(t, "consumer", handling.Kind)
		assert.Equal(t, "guild 14", handling.Process)
		assert.Equal(t, 1, handling.Depth)
		assert.Equal(t, d.Spans[0].SpanID, handling.ParentID)
		assert.InDelta(t, 20e9, handling.WaitNS, 0.1e9)
		assert.Equal(t, time.Second.Nanoseconds(), handling.DurationNS)
		assert.Nil(t, handling.Weight)
		assert.InDelta(t, 21e9, d.DurationNS, 0.1e9)
		assert.Contains(t, d.Explanation.Sentence, "guild 14")
		assert.Contains(t, d.Explanation.Sentence, "that minute")
		require.NotEmpty(t, d.Explanation.Path)
		var at int64
		for _, step := range d.Explanation.Path {
			assert.Equal(t, at, step.FromNS, "no step leaves a hole")
			at = step.ToNS
		}
		assert.Equal(t, d.DurationNS, at)
	})
}

// Where a trace has passed several instances of a service, it says which one made which span.
func TestInstancesAreToldApart(t *testing.T) {
	con := console.New(console.Config{})
	ctx, id := t.Context(), ""
	for _, instance := range []string{"node-1", "node-2"} {
		tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(con), sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "session"), attribute.String("service.instance.id", instance))))
		child, span := tracers.Tracer("test").Start(ctx, "forward")
		ctx, id = child, span.SpanContext().TraceID().String()
		span.End()
	}
	d := draw(t, con, id)
	require.Len(t, d.Spans, 2)
	assert.Equal(t, "session node-1", d.Spans[0].Service)
	assert.Equal(t, "session node-2", d.Spans[1].Service)
	assert.Equal(t, []string{"session node-1", "session node-2"}, d.Services)
	var detail struct{ Service string }
	getJSON(t, con, "/api/traces/"+id+"/spans/"+d.Spans[1].SpanID, &detail)
	assert.Equal(t, "session node-2", detail.Service)
}

func TestTracesThatAreNotThere(t *testing.T) {
	con := console.New(console.Config{})
	tracer := program(t, con, "chat")
	id := span(tracer, "GET /a", time.Millisecond)
	other := strings.Repeat("12", 16)
	for target, want := range map[string]int{
		id: http.StatusOK, id + "/otlp.json": http.StatusOK, strings.ToUpper(id): http.StatusBadRequest,
		other: http.StatusNotFound, other + "/otlp.json": http.StatusNotFound, other + "/spans/1212121212121212": http.StatusNotFound,
		id + "/spans/1212121212121212": http.StatusNotFound, id + "/spans/x": http.StatusBadRequest,
		"x": http.StatusBadRequest, strings.Repeat("0", 32): http.StatusBadRequest, id + "0": http.StatusBadRequest,
		"%3Cimg%3E": http.StatusBadRequest, id + "/nothing": http.StatusNotFound, id + "/": http.StatusNotFound,
	} {
		w := get(t, con, "/api/traces/"+target)
		assert.Equal(t, want, w.Code, target)
		if want != http.StatusOK {
			errorText(t, w)
		}
	}
}

func TestATraceAsAFile(t *testing.T) {
	con := console.New(console.Config{})
	id := span(program(t, con, "chat"), "GET </script>", time.Millisecond)
	w := get(t, con, "/api/traces/"+id+"/otlp.json")
	assert.Equal(t, `attachment; filename="trace-`+id+`.json"`, w.Header().Get("Content-Disposition"))
	assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
	assert.NotContains(t, w.Body.String(), "</script>")
	var file struct {
		ResourceSpans []struct {
			ScopeSpans []struct {
				Spans []struct{ TraceID, Name string }
			}
		}
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &file))
	assert.Equal(t, "GET </script>", file.ResourceSpans[0].ScopeSpans[0].Spans[0].Name)
	assert.Equal(t, id, file.ResourceSpans[0].ScopeSpans[0].Spans[0].TraceID)
}

// detail is everything of a span as a page gets it.
type detail struct {
	TraceID    string `json:"trace_id"`
	ParentID   string `json:"parent_id"`
	Sampled    bool
	Name       string
	Service    string
	Start      time.Time
	Status     struct{ Code, Description string }
	Attributes [][2]string
	Events     []struct {
		AtNS       int64 `json:"at_ns"`
		Name       string
		Attributes [][2]string
	}
	Links []struct {
		TraceID    string `json:"trace_id"`
		Reason     string
		Known      bool
		Attributes [][2]string
	}
	Resource [][2]string
	Scope    struct{ Name, Version string }
	Dropped  struct{ Attributes, Events, Links int }
	LeftOut  int `json:"left_out"`
}

func TestEverythingOfASpan(t *testing.T) {
	con := console.New(console.Config{})
	tracer := program(t, con, "chat")
	here, err := trace.TraceIDFromHex(span(tracer, "GET /a", time.Second))
	require.NoError(t, err)
	gone := trace.TraceID{9}
	link := func(id trace.TraceID) trace.Link {
		return trace.Link{
			SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: trace.SpanID{7}}),
			Attributes:  []attribute.KeyValue{attribute.String("waybill.link.reason", "batch")},
		}
	}
	ctx, root := tracer.Start(t.Context(), "root", trace.WithTimestamp(began))
	_, s := tracer.Start(ctx, "below", trace.WithTimestamp(began.Add(time.Second)), trace.WithLinks(link(here), link(gone)),
		trace.WithAttributes(attribute.StringSlice("list", []string{"a", "b"}), attribute.Int("n", 3)))
	s.AddEvent("event", trace.WithTimestamp(began.Add(1500*time.Millisecond)), trace.WithAttributes(attribute.String("k", "</script>")))
	s.SetStatus(codes.Error, "no room")
	s.End(trace.WithTimestamp(began.Add(2 * time.Second)))
	root.End(trace.WithTimestamp(began.Add(3 * time.Second)))

	var d detail
	target := "/api/traces/" + s.SpanContext().TraceID().String() + "/spans/" + s.SpanContext().SpanID().String()
	getJSON(t, con, target, &d)
	assert.NotContains(t, get(t, con, target).Body.String(), "<")
	assert.Equal(t, "below", d.Name)
	assert.Equal(t, "chat", d.Service)
	assert.Equal(t, root.SpanContext().SpanID().String(), d.ParentID)
	assert.True(t, d.Sampled)
	assert.True(t, began.Add(time.Second).Equal(d.Start))
	assert.Equal(t, "Error", d.Status.Code)
	assert.Equal(t, "no room", d.Status.Description)
	assert.Equal(t, [][2]string{{"list", `["a","b"]`}, {"n", "3"}}, d.Attributes)
	require.Len(t, d.Events, 1)
	assert.Equal(t, int64(1.5e9), d.Events[0].AtNS)
	assert.Equal(t, [][2]string{{"k", "</script>"}}, d.Events[0].Attributes)
	require.Len(t, d.Links, 2)
	assert.True(t, d.Links[0].Known)
	assert.Equal(t, here.String(), d.Links[0].TraceID)
	assert.False(t, d.Links[1].Known)
	assert.Equal(t, "batch", d.Links[1].Reason)
	assert.Equal(t, [][2]string{{"service.name", "chat"}}, d.Resource)
	assert.Equal(t, "test", d.Scope.Name)
	assert.Zero(t, d.LeftOut)
}

// Peers may send spans without any limits.
func TestHugeSpansAreLeftOutInPart(t *testing.T) {
	con := console.New(console.Config{Bytes: 256 << 20})
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(con), sdktrace.WithResource(resource.Empty()),
		sdktrace.WithRawSpanLimits(sdktrace.SpanLimits{
			AttributeValueLengthLimit: -1, AttributeCountLimit: -1, EventCountLimit: -1, LinkCountLimit: -1,
			AttributePerEventCountLimit: -1, AttributePerLinkCountLimit: -1,
		}))
	_, s := tracers.Tracer("test").Start(t.Context(), strings.Repeat("é", 1<<20))
	for i := range 1500 {
		s.SetAttributes(attribute.String("k"+strconv.Itoa(i), "v"))
		s.AddEvent("e", trace.WithAttributes(attribute.String("stack", strings.Repeat("x", 10_000))))
	}
	s.SetAttributes(attribute.String("k0", strings.Repeat("\xff<", 1<<20)))
	s.End()

	target := "/api/traces/" + s.SpanContext().TraceID().String() + "/spans/" + s.SpanContext().SpanID().String()
	w := get(t, con, target)
	var d detail
	getJSON(t, con, target, &d)
	assert.Less(t, w.Body.Len(), 4<<20)
	assert.Len(t, d.Attributes, 1000)
	assert.Less(t, len(d.Events), 250)
	assert.Equal(t, 500+1500-len(d.Events), d.LeftOut)
	assert.LessOrEqual(t, len(d.Name), 64<<10+3)

	w = get(t, con, "/api/traces/"+s.SpanContext().TraceID().String())
	assert.Less(t, w.Body.Len(), 2000)
}
