// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package headers_test

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/sentinel"
	"github.com/waybill-go/waybill/internal/tracestate"
	"github.com/waybill-go/waybill/mailbox/remote/internal/headers"
	"github.com/waybill-go/waybill/propagate"
)

func TestEverythingTravels(t *testing.T) {
	c := content(t)
	written := arrival.Add(-time.Second)
	out, cut := headers.Write(header.Of(c), nil, written)
	assert.False(t, cut)
	assert.Equal(t, map[string][]string{
		"traceparent":   {parent},
		"tracestate":    {"waybill=w:10;p:0.1;n:100;d:1;b:7;e:6.5,1st@=x,b=2"},
		"baggage":       {"tier=gold;p=1,user=7"},
		"waybill-sent":  {"1799999999000000123"},
		"waybill-chain": {"h:4;a:7000000000;f:1"},
	}, out)

	h, found := headers.Read(out, headers.Options{Now: arrival})
	assert.Equal(t, headers.Found{}, found)
	assert.Equal(t, c.SpanContext, h.SpanContext())
	assert.Equal(t, state(header.Of(c)), state(h))
	assert.Equal(t, c.Baggage, h.Baggage())
	assert.Equal(t, arrival, h.SentAt(), "the wait here goes by one clock")
	took, remote := h.Network()
	assert.Equal(t, time.Second, took)
	assert.True(t, remote)
	assert.Equal(t, 4, h.Hops())
	assert.Equal(t, 8*time.Second, h.Age(), "from the first sending until now")
	assert.True(t, h.SampledByFanout())
	assert.False(t, h.Linked())
}

func TestNothingTravels(t *testing.T) {
	skipped := header.Of(content(t)).WithoutBaggage().Skip(false)
	only := header.Of(header.Content{SpanContext: sentinel.SpanContext()})
	for name, h := range map[string]*header.Header{"nil": nil, "skipped": skipped, "sentinel": only} {
		t.Run(name, func(t *testing.T) {
			var out map[string][]string
			assert.Zero(t, testing.AllocsPerRun(100, func() { out, _ = headers.Write(h, nil, arrival) }))
			assert.Nil(t, out)
		})
	}
	bare := map[string][]string{"waybill-timeout": {"200"}, "tracestate": {"a=1"}, "waybill-sent": {"1"}, "baggage": {""}}
	var found headers.Found
	var h *header.Header
	assert.Zero(t, testing.AllocsPerRun(100, func() { h, found = headers.Read(bare, headers.Options{}) }))
	assert.Nil(t, h)
	assert.Equal(t, headers.Found{Bare: true}, found)
	h, found = headers.Read(nil, headers.Options{})
	assert.Nil(t, h)
	assert.Equal(t, headers.Found{Bare: true}, found)
}

// What was in the map under our keys does not travel on, in whatever spelling.
func TestWriteLeavesNothingOfOthers(t *testing.T) {
	full := func() map[string][]string {
		return map[string][]string{
			"Traceparent": {"x"}, "tracestate": {"x"}, "Baggage": {"x"}, "Waybill-Sent": {"x"}, "waybill-chain": {"x"}, "other": {"x"},
		}
	}
	out, _ := headers.Write(nil, full(), arrival)
	assert.Equal(t, map[string][]string{"other": {"x"}}, out)
	unsampled := header.Of(header.Content{SpanContext: content(t).SpanContext.WithTraceFlags(0).WithTraceState(trace.TraceState{})})
	out, _ = headers.Write(unsampled, full(), arrival)
	assert.Equal(t, map[string][]string{"other": {"x"}, "traceparent": {strings.TrimSuffix(parent, "1") + "0"}}, out)
}

func TestBothSpellings(t *testing.T) {
	out, _ := headers.Write(header.Of(content(t)), nil, arrival)
	want, _ := headers.Read(out, headers.Options{Now: arrival})
	canonical := map[string][]string{}
	for key, values := range out {
		canonical[map[string]string{
			"traceparent": "Traceparent", "tracestate": "Tracestate", "baggage": "Baggage",
			"waybill-sent": "Waybill-Sent", "waybill-chain": "Waybill-Chain",
		}[key]] = values
	}
	both := maps.Clone(out)
	maps.Copy(both, canonical)
	for name, in := range map[string]map[string][]string{"canonical": canonical, "both": both} {
		h, found := headers.Read(in, headers.Options{Now: arrival})
		assert.Equal(t, want, h, name)
		assert.Equal(t, headers.Found{}, found, name)
	}
	for key := range canonical { // Two writers have been at work.
		in := maps.Clone(both)
		in[key] = []string{"h:9;a:9"}
		_, found := headers.Read(in, headers.Options{Now: arrival})
		assert.Equal(t, headers.Found{Malformed: true}, found, key)
	}
}

// Whoever the sender is, what cannot be read is absent, and the rest stays.
func TestHostileHeaders(t *testing.T) {
	long := strings.Repeat("x", 20_000)
	for name, tt := range map[string]struct {
		key     string
		values  []string
		changed func(t *testing.T, h *header.Header)
	}{
		"no trace":           {"traceparent", []string{"garbage"}, untraced},
		"repeated trace":     {"traceparent", []string{parent, parent}, untraced},
		"zero trace":         {"traceparent", []string{"00-00000000000000000000000000000000-b7ad6b7169203331-01"}, untraced},
		"upper-case trace":   {"traceparent", []string{strings.ToUpper(parent)}, untraced},
		"white space":        {"traceparent", []string{" " + parent}, untraced},
		"no tracestate":      {"tracestate", []string{"=,=,"}, stateless},
		"tracestate of 33":   {"tracestate", []string{members(33, 1)}, stateless},
		"repeated member":    {"tracestate", []string{"a=1", "a=2"}, func(t *testing.T, h *header.Header) { assert.Equal(t, "a=1", state(h)) }},
		"no baggage":         {"baggage", []string{"a"}, func(t *testing.T, h *header.Header) { assert.Zero(t, h.Baggage().Len()) }},
		"half the baggage":   {"baggage", []string{"a=1,b"}, func(t *testing.T, h *header.Header) { assert.Equal(t, "a=1", h.Baggage().String()) }},
		"much baggage":       {"baggage", []string{strings.Repeat("a=1,", 2049)}, func(t *testing.T, h *header.Header) { assert.Zero(t, h.Baggage().Len()) }},
		"all too much":       {"baggage", []string{long}, func(t *testing.T, h *header.Header) { assert.Nil(t, h) }},
		"all too much twice": {"Tracestate", []string{long}, func(t *testing.T, h *header.Header) { assert.Nil(t, h) }},
		"sent never":         {"waybill-sent", []string{"0"}, local},
		"sent before":        {"waybill-sent", []string{"-5"}, local},
		"sent in words":      {"waybill-sent", []string{"now"}, local},
		"sent like we don't": {"waybill-sent", []string{"01799999999000000000"}, local},
		"sent after all":     {"waybill-sent", []string{"9223372036854775808"}, local},
		"sent twice":         {"waybill-sent", []string{"1", "2"}, local},
		"no chain":           {"waybill-chain", []string{"garbage"}, first},
		"chain twice":        {"waybill-chain", []string{"h:1;a:1", "h:1;a:1"}, first},
		"no hops":            {"waybill-chain", []string{"h:0;a:1"}, first},
		"negative hops":      {"waybill-chain", []string{"h:-1;a:1"}, first},
		"hops twice":         {"waybill-chain", []string{"h:2;a:1;h:2"}, first},
		"no age":             {"waybill-chain", []string{"h:2"}, first},
		"no such fan-out":    {"waybill-chain", []string{"h:2;a:1;f:3"}, first},
		"no name":            {"waybill-chain", []string{"h:2;a:1;:3"}, first},
		"a long chain":       {"waybill-chain", []string{"h:2;a:1;x:" + strings.Repeat("0", 100)}, first},
		"many hops": {"waybill-chain", []string{"h:9223372036854775807;a:1"}, func(t *testing.T, h *header.Header) {
			assert.Equal(t, header.MaxHops, h.Hops())
		}},
		"very old": {"waybill-chain", []string{"h:1;a:9223372036854775807"}, func(t *testing.T, h *header.Header) {
			assert.Equal(t, header.MaxAge, h.Age())
		}},
	} {
		t.Run(name, func(t *testing.T) {
			in, _ := headers.Write(header.Of(content(t)), nil, arrival.Add(-time.Second))
			in[tt.key] = tt.values
			h, found := headers.Read(in, headers.Options{Now: arrival})
			assert.Equal(t, headers.Found{Malformed: true}, found)
			tt.changed(t, h)
		})
	}
}

func untraced(t *testing.T, h *header.Header) {
	t.Helper()
	assert.False(t, h.SpanContext().IsValid())
	assert.Equal(t, 2, h.Baggage().Len())
	assert.True(t, h.SentAt().IsZero())
	assert.False(t, remote(h))
}

func stateless(t *testing.T, h *header.Header) {
	t.Helper()
	assert.True(t, h.Sampled())
	assert.Empty(t, state(h))
}

func local(t *testing.T, h *header.Header) {
	t.Helper()
	assert.True(t, h.Sampled())
	assert.False(t, remote(h))
	assert.Zero(t, network(h))
	assert.Equal(t, 4, h.Hops())
}

func first(t *testing.T, h *header.Header) {
	t.Helper()
	assert.Equal(t, 1, h.Hops())
	assert.Equal(t, network(h), h.Age())
	assert.False(t, h.SampledByFanout())
}

// Fields that a later version may add are no mistake.
func TestLaterVersions(t *testing.T) {
	in := map[string][]string{"traceparent": {"01" + parent[2:] + "-more"}, "waybill-chain": {"h:2;later:x=1;a:3"}}
	h, found := headers.Read(in, headers.Options{Now: arrival})
	assert.Equal(t, headers.Found{}, found)
	assert.True(t, h.Sampled())
	assert.Equal(t, 2, h.Hops())
	assert.EqualValues(t, 3, h.Age())
}

// Clocks differ: no message has taken less than no time, nor longer than a bound.
func TestClocksThatDiffer(t *testing.T) {
	for _, tt := range []struct {
		written time.Time
		want    time.Duration
	}{
		{arrival.Add(time.Hour), 0},
		{arrival.Add(-time.Hour), time.Hour},
		{time.Unix(0, 1), header.MaxAge},
	} {
		in := map[string][]string{"traceparent": {parent}, "waybill-sent": {strconv.FormatInt(tt.written.UnixNano(), 10)}}
		h, found := headers.Read(in, headers.Options{Now: arrival})
		assert.Equal(t, headers.Found{}, found)
		assert.Equal(t, tt.want, network(h))
		assert.Equal(t, tt.want, h.Age())
		assert.Equal(t, arrival, h.SentAt())
	}
	h := header.Of(content(t))
	for _, now := range []time.Time{time.Unix(math.MaxInt64/2, 0), time.Unix(-1, 0), arrival.Add(-time.Hour)} {
		out, _ := headers.Write(h, nil, now)
		_, found := headers.Read(out, headers.Options{Now: arrival})
		assert.Equal(t, headers.Found{}, found, "%v", now)
	}
}

// A peer without this library says nothing of when it wrote.
func TestForeignPeer(t *testing.T) {
	h, found := headers.Read(map[string][]string{"Traceparent": {parent}}, headers.Options{Now: arrival})
	assert.Equal(t, headers.Found{}, found)
	assert.True(t, h.Sampled())
	assert.False(t, remote(h))
	assert.Equal(t, 1, h.Hops())
	assert.Equal(t, arrival, h.SentAt())
}

func TestBoundary(t *testing.T) {
	in, _ := headers.Write(header.Of(content(t)), nil, arrival.Add(-time.Second))
	read := func(policy propagate.Policy) *header.Header {
		boundary := propagate.Boundary{Policy: policy, Counters: new(propagate.Counters), Propagator: propagation.NewCompositeTextMapPropagator(
			propagate.TraceContext{}, propagate.Baggage{Allow: []string{"tier"}})}
		h, found := headers.Read(in, headers.Options{Boundary: boundary, Now: arrival})
		assert.Equal(t, headers.Found{}, found)
		assert.Equal(t, "tier=gold;p=1", h.Baggage().String())
		return h
	}
	h := read(propagate.Continue)
	assert.Equal(t, state(header.Of(content(t))), state(h))
	assert.Equal(t, 4, h.Hops())
	assert.Equal(t, time.Second, network(h))

	h = read(propagate.ContinueIDs)
	assert.Equal(t, spanID, h.SpanContext().SpanID())
	assert.Empty(t, state(h), "no weight of a stranger")
	assert.Equal(t, 1, h.Hops())
	assert.Zero(t, h.Age())
	assert.False(t, remote(h))
	assert.False(t, h.SampledByFanout())

	h = read(propagate.Link)
	assert.False(t, h.SpanContext().IsValid())
	require.NotNil(t, h.Caller())
	assert.Equal(t, spanID, h.Caller().Link().SpanContext.SpanID())

	h = read(propagate.Ignore)
	assert.False(t, h.SpanContext().IsValid())
	assert.Nil(t, h.Caller())
}

// What is written is never more than a reader takes, and it never ends a line of NATS's
// protocol.
func TestWriteIsBounded(t *testing.T) {
	c := content(t)
	list, ok := tracestate.Read([]string{members(31, 256)})
	require.True(t, ok)
	c.SpanContext, c.Beside = c.SpanContext.WithTraceState(list.State), nil
	var all []baggage.Member
	for i := range 64 {
		m, err := baggage.NewMemberRaw("key"+strconv.Itoa(i), strings.Repeat("v", 110)+"\r\n")
		require.NoError(t, err)
		all = append(all, m)
	}
	var err error
	c.Baggage, err = baggage.New(all...)
	require.NoError(t, err)
	out, cut := headers.Write(header.Of(c), nil, arrival)
	assert.True(t, cut)
	assert.NotContains(t, out, "baggage")
	h, found := headers.Read(out, headers.Options{Now: arrival})
	assert.Equal(t, headers.Found{}, found)
	assert.Equal(t, members(31, 256), state(h))

	c.SpanContext = c.SpanContext.WithTraceState(trace.TraceState{})
	out, cut = headers.Write(header.Of(c), nil, arrival)
	assert.False(t, cut)
	assert.NotContains(t, out["baggage"][0], "\n")
	h, _ = headers.Read(out, headers.Options{Now: arrival})
	assert.Equal(t, c.Baggage, h.Baggage())
}

// Whatever a header holds, a reader finds the same.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := func(n int) []byte { return append(rapid.SliceOfN(rapid.Byte(), n-1, n-1).Draw(t, "id"), 1) }
		keys := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "t@s", "x@", "9", "y@@z", "waybill", "ot"}), 0, 8, rapid.ID[string]).Draw(t, "keys")
		var text []string
		for _, key := range keys {
			text = append(text, key+"="+rapid.StringMatching(`[a-z0-9:;. ]{0,40}[a-z]`).Draw(t, "value"))
		}
		list, ok := tracestate.Read([]string{strings.Join(text, ",")})
		require.True(t, ok)
		c := header.Content{
			Hops:            rapid.IntRange(1, header.MaxHops).Draw(t, "hops"),
			Age:             time.Duration(rapid.Int64Range(0, int64(header.MaxAge)).Draw(t, "age")),
			SampledByFanout: rapid.Bool().Draw(t, "sampled by a fan-out"),
			SentAt:          arrival.Add(-time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "waited"))),
		}
		c.Linked = c.SampledByFanout && rapid.Bool().Draw(t, "linked")
		c.SpanContext = trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID(id(16)), SpanID: trace.SpanID(id(8)), TraceState: list.State, Remote: true,
			TraceFlags: trace.TraceFlags(rapid.IntRange(0, 3).Draw(t, "flags")),
		})
		c.Beside = list.Beside(c.SpanContext.TraceID())
		for _, key := range rapid.SliceOfNDistinct(rapid.StringMatching(`[a-zA-Z0-9!_-]{1,10}`), 0, 5, rapid.ID[string]).Draw(t, "baggage") {
			m, err := baggage.NewMemberRaw(key, rapid.String().Draw(t, "value"))
			require.NoError(t, err)
			c.Baggage, err = c.Baggage.SetMember(m)
			require.NoError(t, err)
		}
		want := header.Of(c)
		took := time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "network"))

		out, cut := headers.Write(want, nil, arrival)
		require.False(t, cut)
		for key, values := range out {
			require.Len(t, values, 1)
			require.False(t, slices.ContainsFunc([]byte(key+values[0]), func(b byte) bool { return b < ' ' || b > '~' }))
		}
		h, found := headers.Read(out, headers.Options{Now: arrival.Add(took)})
		require.Equal(t, headers.Found{}, found)
		require.Equal(t, want.SpanContext(), h.SpanContext())
		require.Equal(t, state(want), state(h))
		require.Equal(t, want.Baggage().Len(), h.Baggage().Len())
		for _, m := range want.Baggage().Members() {
			require.Equal(t, m.Value(), h.Baggage().Member(m.Key()).Value())
		}
		if !want.Sampled() {
			require.False(t, remote(h))
			return
		}
		require.Equal(t, arrival.Add(took), h.SentAt())
		require.Equal(t, took, network(h))
		require.True(t, remote(h))
		require.Equal(t, want.Hops(), h.Hops())
		require.Equal(t, min(c.Age+arrival.Sub(c.SentAt)+took, header.MaxAge), h.Age())
		require.Equal(t, c.SampledByFanout, h.SampledByFanout())
		require.Equal(t, c.Linked, h.Linked())
	})
}
