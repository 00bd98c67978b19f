// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package tracestate_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/tracestate"
)

// The grammar of the standard, but for the number of members.
var (
	memberForm = `[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]`
	listForm   = regexp.MustCompile(`\A[ \t]*(?:` + memberForm + `)?[ \t]*(?:,[ \t]*(?:` + memberForm + `)?[ \t]*)*\z`)
	oneMember  = regexp.MustCompile(memberForm)
)

// oracle returns the members that the grammar finds, the first of each key, and
// whether the list is valid.
func oracle(list string) (members []string, ok bool) {
	all := oneMember.FindAllString(list, -1)
	if !listForm.MatchString(list) || len(all) > tracestate.MaxMembers {
		return nil, false
	}
	seen := map[string]bool{}
	for _, member := range all {
		if key, _, _ := strings.Cut(member, "="); !seen[key] {
			seen[key] = true
			members = append(members, member)
		}
	}
	return members, true
}

func FuzzRead(f *testing.F) {
	for _, in := range []string{
		"", "a=1", "a=1,b=2", " a=1\t,,b= 2 ", "a=1,a=2", "foo@=1,bar=2", "@foo=1", "foo@@bar=1,1=2", "A=1", "a", "a=", "=",
		"a=1=2", "a=\x00", "ä=1", strings.Join(numbered(32), ","), strings.Join(numbered(33), ","),
		strings.Repeat("k", 257) + "=1", "a=" + strings.Repeat("v", 257), strings.Repeat("t", 242) + "@v=1",
	} {
		f.Add(in, uint(0))
		f.Add(in, uint(3))
	}
	f.Fuzz(func(t *testing.T, in string, split uint) {
		want, valid := oracle(in)
		list, ok := tracestate.Read([]string{in})
		require.Equal(t, valid, ok, "%q", in)
		require.Equal(t, strings.Join(want, ","), encode(list), "%q", in)

		state, err := trace.ParseTraceState(in)
		if err == nil { // Level 1, which is stricter.
			require.True(t, ok, "%q", in)
			require.Equal(t, state, list.State, "%q", in)
		}

		// It is all the same however often it comes, and over how many lines.
		for range 2 {
			again, ok := tracestate.Read([]string{in})
			require.Equal(t, valid, ok)
			require.Equal(t, list, again)
		}
		if comma := strings.IndexByte(in, ','); comma >= 0 {
			for range split % 5 {
				if next := strings.IndexByte(in[comma+1:], ','); next >= 0 {
					comma += 1 + next
				}
			}
			halves, ok := tracestate.Read([]string{in[:comma], in[comma+1:]})
			require.Equal(t, valid, ok, "%q", in)
			require.Equal(t, encode(list), encode(halves), "%q", in)
			require.Equal(t, list.Dropped, halves.Dropped)
		}

		// What is sent is read as the same.
		if sent := encode(list); sent != "" {
			next := read(t, sent)
			require.Equal(t, sent, encode(next))
			require.Equal(t, list.State.String(), next.State.String())
			require.Zero(t, next.Dropped)
		}
	})
}
