// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

// keys writes n members with keys of two digits.
func keys(n int) string {
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf("k%02d=v", i)
	}
	return strings.Join(members, ",")
}

// read extracts a header and returns the values by their keys.
func read(t *testing.T, b propagate.Baggage, headers ...string) map[string]string {
	t.Helper()
	ctx := b.Extract(t.Context(), propagation.HeaderCarrier{"Baggage": headers})
	values := map[string]string{}
	for _, m := range baggage.FromContext(ctx).Members() {
		values[m.Key()] = m.Value()
	}
	return values
}

func TestBaggageExtract(t *testing.T) {
	type values = map[string]string
	for name, tt := range map[string]struct {
		in      []string
		want    values
		dropped uint64
		refused uint64
	}{
		"one":              {in: []string{"user=alice"}, want: values{"user": "alice"}},
		"several":          {in: []string{"a=1,b=2,c=3"}, want: values{"a": "1", "b": "2", "c": "3"}},
		"white space":      {in: []string{" \ta =\t1 , b\t= 2 ; p = q "}, want: values{"a": "1", "b": "2"}},
		"empty value":      {in: []string{"a="}, want: values{"a": ""}},
		"equals signs":     {in: []string{"a==b=c="}, want: values{"a": "=b=c="}},
		"every octet":      {in: []string{"a=!#$&'()*+-./:<=>?@[]^_`{|}~"}, want: values{"a": "!#$&'()*+-./:<=>?@[]^_`{|}~"}},
		"every token":      {in: []string{"!#$%&'*+-.^_`|~09azAZ=1"}, want: values{"!#$%&'*+-.^_`|~09azAZ": "1"}},
		"percent":          {in: []string{"a=DF%2028%25,b=%e2%82%AC+"}, want: values{"a": "DF 28%", "b": "€+"}},
		"key as it is":     {in: []string{"a%20b=1"}, want: values{"a%20b": "1"}},
		"no UTF-8":         {in: []string{"a=x%c3%28%ff"}, want: values{"a": "x\uFFFD(\uFFFD"}},
		"headers":          {in: []string{"a=1", "b=2,c=3"}, want: values{"a": "1", "b": "2", "c": "3"}},
		"not across lines": {in: []string{"a", "=1,b=2"}, want: values{"b": "2"}, dropped: 2},
		"empty members":    {in: []string{"", ",a=1, ,,", " "}, want: values{"a": "1"}},
		"only commas":      {in: []string{", ,"}, want: values{}},
		"last one wins":    {in: []string{"a=1,b=2", "a=3"}, want: values{"a": "3", "b": "2"}, dropped: 1},
		"no value":         {in: []string{"a,b=2"}, want: values{"b": "2"}, dropped: 1},
		"no key":           {in: []string{"=1,b=2"}, want: values{"b": "2"}, dropped: 1},
		"bad key":          {in: []string{"a b=1,ä=2,a\v=3,(=4,b=2"}, want: values{"b": "2"}, dropped: 4},
		"bad value":        {in: []string{`a=1 2,c="x",d=\,e=ä,f=` + "\x7f,b=2"}, want: values{"b": "2"}, dropped: 5},
		"bad percent":      {in: []string{"a=%,c=%2,d=%2g,e=%g2,b=2"}, want: values{"b": "2"}, dropped: 4},
		"bad property":     {in: []string{"a=1;p q,c=1;=x,d=1;p=%zz,b=2"}, want: values{"b": "2"}, dropped: 3},
		"nothing valid":    {in: []string{"a,b"}, want: values{}, refused: 1},
		"64":               {in: []string{keys(64)}, want: read(t, propagate.Baggage{}, keys(64))},
		"65":               {in: []string{keys(65)}, want: read(t, propagate.Baggage{}, keys(64)), dropped: 1},
		"repeated past 64": {in: []string{keys(64) + ",k00=x"}, want: read(t, propagate.Baggage{}, keys(64)), dropped: 1},
		"8192 bytes":       {in: []string{"a=" + strings.Repeat("b", 8190)}, want: values{"a": strings.Repeat("b", 8190)}},
		"8193 bytes":       {in: []string{"a=" + strings.Repeat("b", 8191)}, want: values{}, refused: 1},
		"8193 in two":      {in: []string{"a=" + strings.Repeat("b", 8186), "c=1", ""}, want: values{}, refused: 1},
	} {
		t.Run(name, func(t *testing.T) {
			var counters propagate.Counters
			assert.Equal(t, tt.want, read(t, propagate.Baggage{Counters: &counters}, tt.in...))
			assert.Equal(t, propagate.Figures{BaggageDropped: tt.dropped, BaggageRefused: tt.refused}, counters.Figures())
		})
	}
	assert.Len(t, read(t, propagate.Baggage{}, keys(64)), 64, "the limit of the standard")
}

func TestBaggageFromEveryCarrier(t *testing.T) {
	for name, carrier := range carriers {
		t.Run(name, func(t *testing.T) {
			c := fill(carrier(), sampled, "a=1", "user=alice")
			ctx := propagate.Baggage{}.Extract(t.Context(), c)
			assert.Equal(t, "user=alice", bagOf(ctx))
			assert.False(t, trace.SpanContextFromContext(ctx).IsValid(), "it reads the baggage alone")

			propagate.Baggage{}.Inject(contextWith(t, trace.SpanContext{}, "user=bob"), c)
			assert.Equal(t, map[string]string{"traceparent": sampled, "tracestate": "a=1", "baggage": "user=bob"}, written(c))
			propagate.Baggage{}.Inject(t.Context(), c)
			assert.Equal(t, map[string]string{"traceparent": sampled, "tracestate": "a=1"}, written(c))
		})
	}
}

// Whoever extracts again on the same context gets one baggage or the other, not
// a mixture.
func TestBaggageOnAContextThatHasSome(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "user=alice", // As OpenTelemetry says.
		"malformed":               "user=alice",
		"other=1":                 "user=alice", // Not allowed.
		"plan=free":               "plan=free",
		"plan=free,other=1,wrong": "plan=free",
	} {
		b := propagate.Baggage{Allow: []string{"plan"}, Counters: new(propagate.Counters)}
		before := contextWith(t, trace.SpanContext{}, "user=alice")
		assert.Equal(t, want, bagOf(b.Extract(before, propagation.MapCarrier{"baggage": in})), in)
	}
}

func TestBaggageAllow(t *testing.T) {
	const header = "tenant=x;p=1,user=alice,Tenant=y"
	for name, tt := range map[string]struct {
		allow   []string
		want    string
		dropped uint64
	}{
		"all":  {nil, "Tenant=y,tenant=x;p=1,user=alice", 0},
		"none": {[]string{}, "", 3},
		"one":  {[]string{"tenant"}, "tenant=x;p=1", 2},
		"two":  {[]string{"absent", "user", "tenant"}, "tenant=x;p=1,user=alice", 1},
	} {
		t.Run(name, func(t *testing.T) {
			var in, out propagate.Counters
			ctx := propagate.Baggage{Allow: tt.allow, Counters: &in}.Extract(
				t.Context(), propagation.MapCarrier{"baggage": header})
			c := propagation.MapCarrier{}
			propagate.Baggage{}.Inject(ctx, c)
			assert.Equal(t, tt.want, c["baggage"])
			assert.Equal(t, propagate.Figures{BaggageDropped: tt.dropped}, in.Figures(), "nothing was refused whole")

			// And on the way out.
			c = propagation.MapCarrier{"baggage": "stale=yes"}
			propagate.Baggage{Allow: tt.allow, Counters: &out}.Inject(contextWith(t, trace.SpanContext{}, header), c)
			assert.Equal(t, tt.want, c["baggage"])
			assert.Equal(t, propagate.Figures{BaggageDropped: tt.dropped}, out.Figures())
		})
	}
}

// The limits of the standard can be lowered, not raised: package baggage drops
// members by chance beyond them.
func TestBaggageLimitsCannotBeRaised(t *testing.T) {
	b := propagate.Baggage{MaxMembers: 1000, MaxBytes: 10_000, Counters: new(propagate.Counters)}
	assert.Equal(t, read(t, propagate.Baggage{}, keys(64)), read(t, b, keys(65)))
	assert.Empty(t, read(t, b, "a="+strings.Repeat("b", 8191)))
	assert.Equal(t, propagate.Figures{BaggageDropped: 1, BaggageRefused: 1}, b.Counters.Figures())
}

// What is well-formed and not allowed is no reason to refuse the rest.
func TestBaggageNotAllowedIsNotRefused(t *testing.T) {
	var counters propagate.Counters
	assert.Empty(t, read(t, propagate.Baggage{Allow: []string{"a"}, Counters: &counters}, "b=1,malformed"))
	assert.Equal(t, propagate.Figures{BaggageDropped: 2}, counters.Figures())
	assert.Empty(t, read(t, propagate.Baggage{Allow: []string{"a"}, Counters: &counters}, "=1"))
	assert.Equal(t, propagate.Figures{BaggageDropped: 2, BaggageRefused: 1}, counters.Figures())
}

func TestBaggageLimits(t *testing.T) {
	const header = "a=1,b=22,c=3"
	for name, tt := range map[string]struct {
		b         propagate.Baggage
		in, out   string
		inCounts  propagate.Figures
		outCounts propagate.Figures
	}{
		"defaults": {propagate.Baggage{}, header, header, propagate.Figures{}, propagate.Figures{}},
		"not more than the standard": {
			propagate.Baggage{MaxMembers: 65, MaxBytes: 8193}, header, header, propagate.Figures{}, propagate.Figures{},
		},
		"negative": {propagate.Baggage{MaxMembers: -1, MaxBytes: -1}, header, header, propagate.Figures{}, propagate.Figures{}},
		"two members": {
			propagate.Baggage{MaxMembers: 2}, "a=1,b=22", "a=1,b=22",
			propagate.Figures{BaggageDropped: 1}, propagate.Figures{BaggageDropped: 1},
		},
		"as many bytes": {propagate.Baggage{MaxBytes: 12}, header, header, propagate.Figures{}, propagate.Figures{}},
		"fewer bytes": { // What is smaller still fits on the way out.
			propagate.Baggage{MaxBytes: 7}, "", "a=1,c=3",
			propagate.Figures{BaggageRefused: 1}, propagate.Figures{BaggageDropped: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var in, out propagate.Counters
			b, c := tt.b, propagation.MapCarrier{}
			b.Counters = &in
			propagate.Baggage{}.Inject(b.Extract(t.Context(), propagation.MapCarrier{"baggage": header}), c)
			assert.Equal(t, tt.in, c["baggage"])
			assert.Equal(t, tt.inCounts, in.Figures())

			b.Counters = &out
			b.Inject(contextWith(t, trace.SpanContext{}, header), c)
			assert.Equal(t, tt.out, c["baggage"])
			assert.Equal(t, tt.outCounts, out.Figures())
		})
	}
}

func TestBaggageLimitsOfTheStandardOnTheWayOut(t *testing.T) {
	b, err := baggage.Parse(keys(64))
	require.NoError(t, err)
	extra, err := baggage.NewMemberRaw("k64", "v")
	require.NoError(t, err)
	b, err = b.SetMember(extra)
	require.NoError(t, err)
	var counters propagate.Counters
	c := propagation.MapCarrier{}
	p := propagate.Baggage{Counters: &counters}

	p.Inject(baggage.ContextWithBaggage(t.Context(), b), c)
	assert.Equal(t, keys(64), c["baggage"])
	assert.Equal(t, uint64(1), counters.Figures().BaggageDropped)

	long, err := baggage.NewMemberRaw("long", strings.Repeat("%", 8192/3))
	require.NoError(t, err)
	b, err = baggage.New(extra)
	require.NoError(t, err)
	b, err = b.SetMember(long)
	require.NoError(t, err)
	p.Inject(baggage.ContextWithBaggage(t.Context(), b), c)
	assert.Equal(t, "k64=v", c["baggage"], "8,195 bytes once escaped")
	assert.Equal(t, uint64(2), counters.Figures().BaggageDropped)
}

// Bytes that are no UTF-8 come back as three characters each; what would not
// fit again is left out rather than some other member by chance.
func TestBaggageThatWouldGrow(t *testing.T) {
	var counters propagate.Counters
	got := read(t, propagate.Baggage{Counters: &counters}, "a=1,big="+strings.Repeat("%ff", 2000)+",b=2")
	assert.Equal(t, map[string]string{"a": "1", "b": "2"}, got)
	assert.Equal(t, propagate.Figures{BaggageDropped: 1}, counters.Figures())

	// Each of these would fit alone.
	got = read(t, propagate.Baggage{Counters: &counters}, "a="+strings.Repeat("%ff", 500)+",b="+strings.Repeat("%ff", 500))
	assert.Equal(t, map[string]string{"a": strings.Repeat("\uFFFD", 500)}, got)
	assert.Equal(t, propagate.Figures{BaggageDropped: 2}, counters.Figures())
}

func TestBaggageKeepsProperties(t *testing.T) {
	ctx := propagate.Baggage{}.Extract(t.Context(), propagation.MapCarrier{
		"baggage": "a=1;flag;x=%41 ; y = %2C;;z=,b=2;",
	})
	var got []string
	for _, p := range baggage.FromContext(ctx).Member("a").Properties() {
		value, has := p.Value()
		got = append(got, fmt.Sprint(p.Key(), " ", value, " ", has))
	}
	assert.Equal(t, []string{"flag  false", "x A true", "y , true", "z  true"}, got)
	c := propagation.MapCarrier{}
	propagate.Baggage{}.Inject(ctx, c)
	assert.Equal(t, "a=1;flag;x=%41 ; y = %2C;z=,b=2", c["baggage"])
}

// OTel's type holds more than the header does.
func TestBaggageThatAHeaderCannotHold(t *testing.T) {
	odd, err := baggage.NewKeyProperty("no token")
	require.NoError(t, err)
	a, err := baggage.NewMemberRaw("a", "ä, b", odd)
	require.NoError(t, err)
	name, err := baggage.NewMemberRaw("naïve", "1")
	require.NoError(t, err)
	b, err := baggage.New(a, name)
	require.NoError(t, err)
	var counters propagate.Counters
	c := propagation.MapCarrier{"baggage": "stale=yes"}
	propagate.Baggage{Counters: &counters}.Inject(baggage.ContextWithBaggage(t.Context(), b), c)
	assert.Equal(t, "a=%C3%A4%2C%20b", c["baggage"])
	assert.Equal(t, propagate.Figures{BaggageDropped: 1}, counters.Figures())
}

func TestBaggageFields(t *testing.T) {
	fields := propagate.Baggage{}.Fields()
	assert.Equal(t, []string{"baggage"}, fields)
	fields[0] = "changed"
	assert.Equal(t, []string{"baggage"}, propagate.Baggage{}.Fields())
}

func TestBaggageCountsByDefault(t *testing.T) {
	before := propagate.DefaultCounters().Figures().BaggageRefused
	read(t, propagate.Baggage{}, "malformed")
	assert.Equal(t, before+1, propagate.DefaultCounters().Figures().BaggageRefused)
	var none *propagate.Counters
	assert.Equal(t, before+1, none.Figures().BaggageRefused, "no counters are the default ones")
}

func TestSampledFirstWithBaggage(t *testing.T) {
	var own propagate.Counters
	allow := []string{"user"}
	in := propagation.MapCarrier{"traceparent": sampled, "baggage": "user=alice,secret=x"}
	sc := spanContext(t, trace.FlagsSampled, "")

	p := propagate.SampledFirst{Baggage: propagate.Baggage{Allow: allow}, Counters: new(propagate.Counters)}
	assert.Equal(t, "user=alice", bagOf(p.Extract(t.Context(), in)))
	out := propagation.MapCarrier{}
	p.Inject(contextWith(t, sc, "user=bob,secret=y"), out)
	assert.Equal(t, propagation.MapCarrier{"traceparent": sampled, "baggage": "user=bob"}, out)
	p.Inject(contextWith(t, trace.SpanContext{}, "user=eve,secret=y"), out)
	assert.Equal(t, propagation.MapCarrier{"baggage": "user=eve"}, out)
	assert.Equal(t, propagate.Figures{BaggageDropped: 3}, p.Counters.Figures())

	p = propagate.SampledFirst{Baggage: propagate.Baggage{MaxBytes: 10, Counters: &own}, Counters: new(propagate.Counters)}
	assert.Empty(t, bagOf(p.Extract(t.Context(), in)))
	assert.Zero(t, p.Counters.Figures())
	assert.Equal(t, propagate.Figures{BaggageRefused: 1}, own.Figures())
}
