// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/mailbox/console"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// shownSampling is what the console says of sampling.
type shownSampling struct {
	Groups []struct {
		Name, From  string
		Known       bool
		Settings    *sampling.GroupConfig
		ShedFanouts uint64 `json:"shed_fanouts"`
		ShedSpans   uint64 `json:"shed_spans"`
	}
	Kinds []struct {
		Name              string
		SpansPerSecond    float64 `json:"spans_per_second"`
		MaxSpansPerSecond float64 `json:"max_spans_per_second"`
		ShedFanouts       uint64  `json:"shed_fanouts"`
	}
	Broadcasts []struct {
		TraceID                           string `json:"trace_id"`
		SpanID                            string `json:"span_id"`
		Group, Method                     string
		Size, Sampled, Delivered, Refused int
		Depth                             int
		Start                             time.Time
		Shed                              bool
	}
	Totals struct {
		Spans, Broadcasts, Recipients, Sampled int
		Naive                                  float64
	}
	LeftOut int `json:"left_out"`
}

func samplingOf(t *testing.T, con *console.Console) (shown shownSampling) {
	t.Helper()
	require.NoError(t, json.Unmarshal(get(t, con, "/api/sampling").Body.Bytes(), &shown))
	return shown
}

// fanOut sends to n recipients, of which the first refuses.
func fanOut(t *testing.T, tracer trace.Tracer, to *fanout.Fanout, n int) fanout.Delivery {
	t.Helper()
	ctx, span := tracer.Start(context.Background(), "post")
	defer span.End()
	b := to.Begin(ctx, n)
	for i := range n {
		b.Next()
		if i == 0 {
			b.Refuse(fanout.Full)
		}
	}
	return b.End()
}

func TestSamplingIsShown(t *testing.T) {
	control, err := sampling.NewControl(sampling.Config{
		DefaultGroup: sampling.GroupConfig{MaxSpans: 7},
		Groups:       map[string]sampling.GroupConfig{"own": {Curve: sampling.Always(), SpansPerSecond: 1000}, "misspelt": {}},
		Kinds:        map[string]sampling.KindConfig{"session": {SpansPerSecond: 5}, "guild": {NoSpans: true}},
	})
	require.NoError(t, err)
	con := console.New(console.Config{Control: control})
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(con))
	tracer := provider.Tracer("test")
	add := func(name string, options ...fanout.Option) *fanout.Fanout {
		return must(fanout.New(name, append(options, fanout.WithControl(control), fanout.WithTracerProvider(provider))...))
	}
	own, rest := add("own"), add("the <b>rest</b>")
	fixed := add("fixed", fanout.WithSampling(sampling.GroupConfig{MaxSpans: 3}))
	shed := add("shed", fanout.WithSampling(sampling.GroupConfig{MaxSpansPerSecond: 1}))
	assert.Equal(t, 4, fanOut(t, tracer, own, 4).Sampled)
	delivery := fanOut(t, tracer, rest, 10_000)
	fanOut(t, tracer, fixed, 10_000)
	for range 30 {
		fanOut(t, tracer, shed, 10_000)
	}

	shown := samplingOf(t, con)
	require.Len(t, shown.Groups, 5)
	names := make(map[string]int)
	for i, g := range shown.Groups {
		names[g.Name] = i
	}
	group := shown.Groups[names["own"]]
	assert.Equal(t, "group", group.From)
	assert.True(t, group.Known)
	assert.InDelta(t, 1000, group.Settings.SpansPerSecond, 0)
	assert.Equal(t, sampling.Always(), group.Settings.Curve)
	group = shown.Groups[names["the <b>rest</b>"]]
	assert.Equal(t, "default", group.From)
	assert.Equal(t, 7, group.Settings.MaxSpans)
	assert.InDelta(t, 0.1, group.Settings.Curve.Probability(100), 1e-12, "the default curve has its points")
	group = shown.Groups[names["fixed"]]
	assert.Equal(t, "code", group.From)
	assert.Equal(t, 3, group.Settings.MaxSpans)
	assert.False(t, shown.Groups[names["misspelt"]].Known)
	group = shown.Groups[names["shed"]]
	assert.Positive(t, group.ShedFanouts)
	assert.GreaterOrEqual(t, group.ShedSpans, group.ShedFanouts)

	require.Len(t, shown.Kinds, 1)
	assert.Equal(t, "session", shown.Kinds[0].Name)
	assert.InDelta(t, 5, shown.Kinds[0].SpansPerSecond, 0)

	require.Len(t, shown.Broadcasts, 33)
	shedShown := 0
	for _, b := range shown.Broadcasts[:30] {
		assert.Equal(t, "shed", b.Group, "the latest first")
		if b.Shed {
			shedShown++
			assert.Zero(t, b.Sampled)
		}
	}
	assert.EqualValues(t, group.ShedFanouts, shedShown)
	b := shown.Broadcasts[31]
	assert.Equal(t, "the <b>rest</b>", b.Group)
	assert.Equal(t, []any{10_000, delivery.Sampled, 9999, 1, "uniform", false}, []any{b.Size, b.Sampled, b.Delivered, b.Refused, b.Method, b.Shed})
	assert.Zero(t, b.Depth)
	assert.Len(t, b.TraceID, 32)
	assert.Len(t, b.SpanID, 16)
	assert.WithinDuration(t, time.Now(), b.Start, time.Minute)

	assert.Equal(t, 33, shown.Totals.Broadcasts)
	assert.Equal(t, 4+32*10_000, shown.Totals.Recipients)
	assert.GreaterOrEqual(t, shown.Totals.Spans, 33)
	assert.NotContains(t, get(t, con, "/api/sampling").Body.String(), "<b>")
}

// A fan-out follows the configuration that was sent to the console.
func TestSamplingFollowsTheConfiguration(t *testing.T) {
	control, err := sampling.NewControl(sampling.Config{})
	require.NoError(t, err)
	con := console.New(console.Config{Control: control, AllowChanges: true})
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(con))
	to := must(fanout.New("all", fanout.WithControl(control), fanout.WithTracerProvider(provider)))
	assert.Equal(t, 10, fanOut(t, provider.Tracer("test"), to, 100).Sampled)
	tag := get(t, con, "/api/config").Header().Get("ETag")
	w := put(t, con, `{"groups": {"all": {"curve": [{"size": 1, "probability": 0.5}], "max_spans": 20}}}`, "If-Match", tag)
	require.Equal(t, 200, w.Code, w.Body)
	assert.Equal(t, 20, fanOut(t, provider.Tracer("test"), to, 100).Sampled)
	shown := samplingOf(t, con)
	require.Len(t, shown.Groups, 1)
	assert.Equal(t, "group", shown.Groups[0].From)
	assert.Equal(t, 20, shown.Groups[0].Settings.MaxSpans)
	assert.Equal(t, []int{20, 10}, []int{shown.Broadcasts[0].Sampled, shown.Broadcasts[1].Sampled})
}

// Spans of other programs may say anything.
func TestSamplingOfWhateverSpansSay(t *testing.T) {
	con := console.New(console.Config{})
	shown := samplingOf(t, con)
	assert.NotNil(t, shown.Groups)
	assert.NotNil(t, shown.Kinds)
	assert.NotNil(t, shown.Broadcasts)
	for i := range 300 {
		name := "broadcast " + strconv.Itoa(i)
		if i%2 == 0 {
			name = "broadcast " + strings.Repeat("\xff", i*50)
		}
		con.OnEnd(tracetest.SpanStub{
			Name: name, SpanKind: trace.SpanKindProducer, StartTime: time.Unix(1<<60, 0),
			SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{0: 1, 15: byte(i)}, SpanID: trace.SpanID{0: 1, 6: byte(i >> 8), 7: byte(i)}}),
			Attributes: []attribute.KeyValue{
				attribute.Int64("waybill.fanout.size", -1<<63), attribute.Int64("waybill.fanout.sampled", 1<<62),
				attribute.String("waybill.fanout.method", strings.Repeat("m", 10_000)),
			},
		}.Snapshot())
	}
	assert.True(t, json.Valid(get(t, con, "/api/traces").Body.Bytes()))
	body := get(t, con, "/api/sampling").Body
	assert.Less(t, body.Len(), 300_000)
	require.NoError(t, json.Unmarshal(body.Bytes(), &shown))
	assert.LessOrEqual(t, len(shown.Groups), 100)
	assert.LessOrEqual(t, len(shown.Broadcasts), 200)
	for _, g := range shown.Groups {
		assert.Nil(t, g.Settings)
		assert.Empty(t, g.From)
		assert.False(t, g.Known)
	}
}

func TestTooManyGroupsAreLeftOut(t *testing.T) {
	config := sampling.Config{Groups: map[string]sampling.GroupConfig{}, Kinds: map[string]sampling.KindConfig{}}
	for i := range 150 {
		config.Groups[fmt.Sprintf("%03d", i)] = sampling.GroupConfig{}
		config.Kinds[fmt.Sprintf("%03d", i)] = sampling.KindConfig{SpansPerSecond: 1}
	}
	control, err := sampling.NewControl(config)
	require.NoError(t, err)
	shown := samplingOf(t, console.New(console.Config{Control: control}))
	assert.Len(t, shown.Groups, 100)
	assert.Equal(t, "099", shown.Groups[99].Name)
	assert.Len(t, shown.Kinds, 100)
	assert.Equal(t, 100, shown.LeftOut)
}
