// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
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

	"github.com/waybill-go/waybill/mailbox/console"
)

// program returns the tracer of a service whose spans go to con.
func program(t *testing.T, con *console.Console, service string) trace.Tracer {
	t.Helper()
	tracers := sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(con),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", service))),
	)
	t.Cleanup(func() { assert.NoError(t, tracers.Shutdown(context.Background())) })
	return tracers.Tracer("test")
}

var began = time.Date(2026, 5, 4, 3, 2, 1, 987654321, time.UTC)

// span makes a root span of that length, and returns its trace's ID.
func span(tracer trace.Tracer, name string, took time.Duration, attributes ...attribute.KeyValue) string {
	_, s := tracer.Start(context.Background(), name, trace.WithTimestamp(began), trace.WithAttributes(attributes...))
	s.End(trace.WithTimestamp(began.Add(took)))
	return s.SpanContext().TraceID().String()
}

// listed is a list of traces as a page gets it.
type listed struct {
	Traces []struct {
		TraceID     string `json:"trace_id"`
		Name        string
		Service     string
		Services    []string
		Start       string
		DurationNS  int64 `json:"duration_ns"`
		Spans       int
		LeftOut     int `json:"left_out"`
		Errors      int
		Late        []string
		Kept        string
		RootMissing bool `json:"root_missing"`
		Incomplete  bool
	}
	More bool
}

func names(l listed) []string {
	found := []string{}
	for i := range l.Traces {
		found = append(found, l.Traces[i].Name)
	}
	return found
}

func list(t *testing.T, h http.Handler, query string) listed {
	t.Helper()
	w := get(t, h, "/api/traces?"+query)
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	return readList(t, w.Body.Bytes())
}

func readList(t *testing.T, body []byte) (l listed) {
	t.Helper()
	require.NoError(t, json.Unmarshal(body, &l), string(body))
	return l
}

func TestTracesAreListed(t *testing.T) {
	con := console.New(console.Config{})
	chat, guild := program(t, con, "chat"), program(t, con, "guild")
	ctx, root := chat.Start(t.Context(), "POST /messages", trace.WithTimestamp(began))
	_, below := guild.Start(ctx, "guild Publish", trace.WithTimestamp(began.Add(time.Millisecond)),
		trace.WithAttributes(attribute.String("waybill.late.reason", "slow")))
	below.RecordError(errors.New("no room"))
	below.SetStatus(codes.Error, "no room")
	below.End(trace.WithTimestamp(began.Add(2 * time.Millisecond)))
	root.End(trace.WithTimestamp(began.Add(5 * time.Millisecond)))

	l := list(t, con, "")
	require.Len(t, l.Traces, 1)
	got := l.Traces[0]
	assert.Equal(t, root.SpanContext().TraceID().String(), got.TraceID)
	assert.Equal(t, "POST /messages", got.Name)
	assert.Equal(t, "chat", got.Service)
	assert.Equal(t, []string{"chat", "guild"}, got.Services)
	assert.Equal(t, "2026-05-04T03:02:01.987654321Z", got.Start)
	assert.Equal(t, int64(5_000_000), got.DurationNS)
	assert.Equal(t, 2, got.Spans)
	assert.Equal(t, 1, got.Errors)
	assert.Equal(t, []string{"slow"}, got.Late)
	assert.Equal(t, "failed", got.Kept)
	assert.False(t, got.RootMissing)
	assert.False(t, got.Incomplete)
	assert.False(t, l.More)
}

// Where spans come so fast that some are dropped, the traces that may miss some say so.
func TestATraceThatMayMissSpansSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		con := console.New(console.Config{Bytes: 64 << 20}) // It forgets none of them.
		chat := program(t, con, "chat")
		ctx, long := chat.Start(t.Context(), "long")
		_, first := chat.Start(ctx, "first")
		first.End()
		for range 30_000 { // No time passes meanwhile.
			span(chat, "short", time.Millisecond)
		}
		time.Sleep(time.Second)
		long.End()
		l := list(t, con, "name=long")
		require.Len(t, l.Traces, 1)
		assert.True(t, l.Traces[0].Incomplete)
		assert.True(t, draw(t, con, l.Traces[0].TraceID).Incomplete)
		var said struct{ Totals struct{ Dropped int } }
		getJSON(t, con, "/api/about", &said)
		assert.Positive(t, said.Totals.Dropped)
	})
}

func TestTracesAreFiltered(t *testing.T) {
	con := console.New(console.Config{})
	chat, guild := program(t, con, "chat"), program(t, con, "guild & sons")
	span(chat, "GET /a", time.Millisecond)
	span(chat, "GET /b", 60*time.Millisecond)
	span(guild, "guild Publish", time.Second, attribute.String("waybill.late.reason", "waited"))
	_, bad := chat.Start(t.Context(), "broken")
	bad.SetStatus(codes.Error, "")
	bad.End()

	for query, want := range map[string][]string{
		"":                               {"broken", "guild Publish", "GET /b", "GET /a"},
		"service=guild+%26+sons":         {"guild Publish"},
		"service=nobody":                 {},
		"name=get":                       {"GET /b", "GET /a"},
		"at_least=50ms&name=get+":        {"GET /b"},
		"failed=true":                    {"broken"},
		"late=any":                       {"guild Publish"},
		"late=waited":                    {"guild Publish"},
		"late=slow":                      {},
		"limit=2":                        {"broken", "guild Publish"},
		"service=&name=&late=&limit=500": {"broken", "guild Publish", "GET /b", "GET /a"},
	} {
		l := list(t, con, query)
		assert.Equal(t, want, names(l), query)
		assert.Equal(t, query == "limit=2", l.More, query)
	}
}

func TestFiltersThatMakeNoSense(t *testing.T) {
	con := console.New(console.Config{})
	for _, query := range []string{
		"limit=0", "limit=501", "limit=-1", "limit=x", "limit=", "at_least=-5ms", "at_least=5", "failed=perhaps",
		"nothing=1", "name=a&name=b", "name=" + strings.Repeat("x", 257), url.QueryEscape(strings.Repeat("é", 300)) + "=1",
	} {
		for _, path := range []string{"/api/traces?", "/api/traces/events?"} {
			w := get(t, con, path+query)
			assert.Equal(t, http.StatusBadRequest, w.Code, query)
			assert.Less(t, len(errorText(t, w)), 1000, query)
		}
	}
}

func TestHostileNamesAreText(t *testing.T) {
	con := console.New(console.Config{})
	hostile := `</script><img src=x onerror=alert(1)>` + "\u2028\x00\x1b[31m\xff"
	tracer := program(t, con, hostile)
	span(tracer, hostile, time.Second, attribute.String("waybill.late.reason", hostile))
	span(tracer, strings.Repeat("é", 100_000), time.Second)

	w := get(t, con, "/api/traces")
	assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
	assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	assert.NotContains(t, w.Body.String(), "<")
	assert.Less(t, w.Body.Len(), 4000)
	l := readList(t, w.Body.Bytes())
	valid := strings.ToValidUTF8(hostile, "\uFFFD")
	assert.Equal(t, valid, l.Traces[1].Name)
	assert.Equal(t, []string{valid}, l.Traces[1].Late)
	assert.Equal(t, strings.Repeat("é", 100)+"…", l.Traces[0].Name)
}

func TestTotalsAreShown(t *testing.T) {
	con := console.New(console.Config{Bytes: 1 << 20, NoTraces: "Start the other program."})
	span(program(t, con, "chat"), "GET /a", time.Millisecond)
	var about struct {
		NoTraces string `json:"no_traces"`
		Totals   struct {
			Seen, Kept, Traces, Bytes int
			MaxBytes                  int `json:"max_bytes"`
		}
	}
	require.NoError(t, json.Unmarshal(get(t, con, "/api/about").Body.Bytes(), &about))
	assert.Equal(t, "Start the other program.", about.NoTraces)
	assert.Equal(t, 1, about.Totals.Seen)
	assert.Equal(t, 1, about.Totals.Kept)
	assert.Equal(t, 1, about.Totals.Traces)
	assert.Equal(t, 1<<20, about.Totals.MaxBytes)
	assert.Positive(t, about.Totals.Bytes)
}

func TestTwoConsolesKnowNothingOfEachOther(t *testing.T) {
	a, b := console.New(console.Config{}), console.New(console.Config{})
	span(program(t, a, "chat"), "of a", time.Millisecond)
	span(program(t, b, "chat"), "of b", time.Millisecond)
	require.NoError(t, a.Shutdown(t.Context()))
	span(program(t, a, "chat"), "of a after its shutdown", time.Millisecond)
	assert.Equal(t, []string{"of a after its shutdown", "of a"}, names(list(t, a, "")))
	assert.Equal(t, []string{"of b"}, names(list(t, b, "")))
}
