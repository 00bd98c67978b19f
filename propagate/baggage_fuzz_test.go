// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/propagate"
)

const (
	tokenPattern = "[-!#$%&'*+.^_`|~0-9A-Za-z]+"
	// What the standard calls baggage-octet, with whole percent-escapes only.
	valuePattern = `(?:[\x21\x23\x24\x26-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]|%[0-9A-Fa-f]{2})*`
	propertyName = `[ \t]*` + tokenPattern + `[ \t]*`
)

// memberPattern is a member without the white space around it. Of its
// properties some may be empty.
var memberPattern = regexp.MustCompile(`\A(` + tokenPattern + `)[ \t]*=[ \t]*(` + valuePattern + `)` +
	`(?:[ \t]*(?:;(?:` + propertyName + `(?:=[ \t]*` + valuePattern + `[ \t]*)?)?)+)?\z`)

// pairPattern is the same as far as the first semicolon.
var pairPattern = regexp.MustCompile(`\A(` + tokenPattern + `)[ \t]*=[ \t]*(` + valuePattern + `)[ \t]*(?:;|\z)`)

// expected does what Extract should, by means of the expressions: it returns
// the values by their keys, and what is counted.
func expected(t *testing.T, in string, b propagate.Baggage) (map[string]string, propagate.Figures) {
	t.Helper()
	values := map[string]string{}
	if len(in) > b.MaxBytes {
		return values, propagate.Figures{BaggageRefused: 1}
	}
	var well, malformed uint64
	for text := range strings.SplitSeq(in, ",") {
		text = strings.Trim(text, " \t")
		if text == "" {
			continue
		}
		found := pairPattern.FindStringSubmatch(text)
		passes := found != nil && len(values) < b.MaxMembers && (len(b.Allow) == 0 || found[1] == b.Allow[0])
		if found == nil || passes && !memberPattern.MatchString(text) {
			malformed++ // Of the properties of what does not pass nobody cares.
			continue
		}
		well++
		if passes {
			value, err := url.PathUnescape(found[2])
			require.NoError(t, err)
			values[found[1]] = string([]rune(value))
		}
	}
	if well == 0 && malformed > 0 {
		return values, propagate.Figures{BaggageRefused: 1}
	}
	return values, propagate.Figures{BaggageDropped: well + malformed - uint64(len(values))}
}

func FuzzBaggage(f *testing.F) {
	for _, in := range []string{
		"", "user=alice", "a=1,b=2;p=q;r , c = 3", "a=1,a=2", "a=%20%c3%28", "a=%zz,b", ",,a=1,", "a=1;;p=%41",
		keys(65), strings.Repeat("a=1,", 20), "a=\"x\",ä=ö", "a==;=", "a=1\v,\vb=2", "a=1; ,b=2",
	} {
		f.Add(in, 64, 8192, false)
		f.Add(in, 2, 20, true)
	}
	f.Fuzz(func(t *testing.T, in string, members, bytes int, allow bool) {
		var counters propagate.Counters
		b := propagate.Baggage{MaxMembers: 1 + members&63, MaxBytes: 1 + bytes&8191, Counters: &counters}
		if allow {
			b.Allow = []string{"a"}
		}
		extracted := b.Extract(t.Context(), propagation.MapCarrier{"baggage": in})
		bag := baggage.FromContext(extracted)
		got := map[string]string{}
		for _, m := range bag.Members() {
			got[m.Key()] = m.Value()
		}
		counts := counters.Figures()

		if !mayGrow(in, b) {
			want, wantCounts := expected(t, in, b)
			require.Equal(t, want, got, "%q", in)
			require.Equal(t, wantCounts, counts, "%q", in)
		}
		checkAgainstOTel(t, in, b, bag)
		checkRoundTrip(t, b, bag)
	})
}

// mayGrow reports whether in, written again, could be longer than allowed:
// escapes of what is no UTF-8 may come to three times their length.
func mayGrow(in string, b propagate.Baggage) bool {
	return strings.Contains(in, "%") && 3*len(in) > b.MaxBytes
}

// checkAgainstOTel holds a header that OTel's parser takes whole, within the
// limits, against what it makes of it.
func checkAgainstOTel(t *testing.T, in string, b propagate.Baggage, got baggage.Baggage) {
	t.Helper()
	oracle, err := baggage.Parse(in)
	foreignSpace := strings.ContainsAny(in, "\v\f\r\n\u0085\u00a0") // It trims these as well.
	if err != nil || foreignSpace || b.Allow != nil || len(in) > b.MaxBytes || strings.Count(in, ",") >= b.MaxMembers ||
		mayGrow(in, b) {
		return
	}
	require.Equal(t, oracle.Len(), got.Len(), "%q", in)
	for _, want := range oracle.Members() {
		m := got.Member(want.Key())
		require.Equal(t, want.Value(), m.Value())
		require.Equal(t, want.Properties(), m.Properties())
	}
}

// checkRoundTrip writes what was read, which must be within the same limits and
// nothing but well-formed, and reads it again.
func checkRoundTrip(t *testing.T, b propagate.Baggage, bag baggage.Baggage) {
	t.Helper()
	var counters propagate.Counters
	b.Counters = &counters
	c := propagation.MapCarrier{"baggage": "stale=yes"}
	b.Inject(baggage.ContextWithBaggage(t.Context(), bag), c)
	require.LessOrEqual(t, len(c["baggage"]), b.MaxBytes)
	again := baggage.FromContext(b.Extract(t.Context(), c))
	require.Zero(t, counters.Figures(), "%q", c["baggage"])
	require.Equal(t, bag.Len(), again.Len())
	if bag.Len() == 0 {
		require.NotContains(t, c, "baggage")
		return
	}
	for text := range strings.SplitSeq(c["baggage"], ",") {
		require.Regexp(t, memberPattern, text)
		found := memberPattern.FindStringSubmatch(text)
		require.Equal(t, bag.Member(found[1]).Value(), again.Member(found[1]).Value())
		require.Equal(t, bag.Member(found[1]).Properties(), again.Member(found[1]).Properties())
	}
}
