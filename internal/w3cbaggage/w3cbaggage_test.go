// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package w3cbaggage_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"

	"github.com/waybill-go/waybill/internal/w3cbaggage"
)

// What is written is read back, within the same limits and without a loss.
func FuzzWhatIsWrittenIsRead(f *testing.F) {
	for _, in := range []string{
		"", "a=1", "b=2;p=q;r , a = %20%c3%28", "a=1,a=2", "a=%zz,b", ",,a=1,", strings.Repeat("a=%,", 100), "ä=ö",
	} {
		f.Add(in, 0, 0, true)
		f.Add(in, 2, 20, false)
	}
	f.Fuzz(func(t *testing.T, in string, members, bytes int, all bool) {
		limits := w3cbaggage.Limits{Members: members, Bytes: bytes}
		if !all {
			limits.Allow = []string{"a"}
		}
		list := w3cbaggage.Read([]string{in}, limits)
		require.GreaterOrEqual(t, list.Dropped(), 0)
		bag, err := baggage.New(list.Members...)
		require.NoError(t, err)

		text, dropped := w3cbaggage.Encode(bag, limits)
		require.Zero(t, dropped, "%q", in)
		again := w3cbaggage.Read([]string{text}, limits)
		require.False(t, again.Refused())
		require.Zero(t, again.Dropped(), "%q", text)
		require.Len(t, again.Members, bag.Len())
		for _, m := range again.Members {
			require.Equal(t, bag.Member(m.Key()).Value(), m.Value())
		}
	})
}

func TestLimits(t *testing.T) {
	long := strings.Repeat("b", 8190)
	for _, tt := range []struct {
		in      []string
		limits  w3cbaggage.Limits
		members int
		dropped int
		refused bool
	}{
		{[]string{"a=1", "b=2"}, w3cbaggage.Limits{}, 2, 0, false},
		{[]string{"a=1", "b=2"}, w3cbaggage.Limits{Members: 1}, 1, 1, false},
		{[]string{"a=1", "b=2"}, w3cbaggage.Limits{Members: 65}, 2, 0, false},
		{[]string{"a=1", "b=2"}, w3cbaggage.Limits{Bytes: 7}, 2, 0, false}, // With the comma between them.
		{[]string{"a=1", "b=2"}, w3cbaggage.Limits{Bytes: 6}, 0, 0, true},
		{[]string{"a=1", "b=2"}, w3cbaggage.Limits{Allow: []string{"b"}}, 1, 1, false},
		{[]string{"a=1", "b=2"}, w3cbaggage.Limits{Allow: []string{}}, 0, 2, false},
		{[]string{"a=" + long}, w3cbaggage.Limits{}, 1, 0, false},
		{[]string{"a=b" + long}, w3cbaggage.Limits{Bytes: 10_000}, 0, 0, true},
		{[]string{strings.Repeat("a=1,", 2000)}, w3cbaggage.Limits{}, 1, 1999, false},
		{[]string{"none"}, w3cbaggage.Limits{}, 0, 1, true},
	} {
		list := w3cbaggage.Read(tt.in, tt.limits)
		assert.Len(t, list.Members, tt.members, "%.20q", tt.in)
		assert.Equal(t, tt.dropped, list.Dropped(), "%.20q", tt.in)
		assert.Equal(t, tt.refused, list.Refused(), "%.20q", tt.in)
	}
}
