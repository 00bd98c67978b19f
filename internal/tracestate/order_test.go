// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package tracestate_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/waybill-go/waybill/internal/tracestate"
)

func TestOrder(t *testing.T) {
	for name, tt := range map[string]struct {
		in, insert, remove, want string
	}{
		"untouched":                    {in: "a=1,x@=2,b=3,9=4", want: "a=1,x@=2,b=3,9=4"},
		"in front":                     {in: "x@=2,b=3", want: "x@=2,b=3"},
		"alone":                        {in: "x@=1,9=2", want: "x@=1,9=2"},
		"a new one":                    {in: "x@=2,b=3", insert: "n=0", want: "n=0,x@=2,b=3"},
		"a new one beside nothing":     {in: "x@=2", insert: "n=0", want: "n=0,x@=2"},
		"the last has changed":         {in: "a=1,x@=2,b=3", insert: "b=0", want: "b=0,a=1,x@=2"},
		"the first has changed":        {in: "a=1,x@=2,b=3", insert: "a=0", want: "a=0,x@=2,b=3"},
		"the only one has changed":     {in: "x@=2,b=3,9=4", insert: "b=0", want: "b=0,x@=2,9=4"},
		"changed back":                 {in: "a=1,x@=2,b=3", insert: "b=3", want: "b=3,a=1,x@=2"},
		"one is gone":                  {in: "a=1,x@=2,b=3", remove: "a", want: "x@=2,b=3"},
		"the last one is gone":         {in: "a=1,x@=2,b=3", remove: "b", want: "a=1,x@=2"},
		"one is new, another one gone": {in: "a=1,x@=2,b=3,9=4", insert: "n=0", remove: "a", want: "n=0,x@=2,b=3,9=4"},
	} {
		t.Run(name, func(t *testing.T) {
			list := read(t, tt.in)
			state := list.State
			if key, value, ok := strings.Cut(tt.insert, "="); ok {
				var err error
				state, err = state.Insert(key, value)
				require.NoError(t, err)
			}
			if tt.remove != "" {
				state = state.Delete(tt.remove)
			}
			got, cut := tracestate.Encode(state, list.Beside(traceID))
			assert.Equal(t, tt.want, got)
			assert.Zero(t, cut)
		})
	}
}

// Nothing but a list that went beside is affected: what is sent then is OTel's.
func TestEncodeWithNothingBeside(t *testing.T) {
	list := read(t, "a=1,b=2")
	assert.Nil(t, list.Beside(traceID))
	assert.Equal(t, "a=1,b=2", encode(list))
	assert.Empty(t, encode(tracestate.List{}))
}

func TestTheLastMembersGiveWay(t *testing.T) {
	// 30 that OTel holds, and two beside them: one in front and one at the end.
	list := read(t, "1st=x,"+strings.Join(numbered(30), ",")+",last@=x")
	state := list.State
	for i, want := range []int{1, 2} {
		var err error
		state, err = state.Insert("new"+strconv.Itoa(i), "0")
		require.NoError(t, err)
		got, cut := tracestate.Encode(state, list.Beside(traceID))
		assert.Equal(t, want, cut)
		members := strings.Split(got, ",")
		assert.Len(t, members, tracestate.MaxMembers)
		assert.Equal(t, "new"+strconv.Itoa(i)+"=0", members[0])
		assert.Contains(t, members, "1st=x")
		assert.NotContains(t, members, "last@=x")
		assert.Equal(t, i == 0, slices.Contains(members, "k29=29"))
	}
}

// model is a tracestate as the standard has it: one list, in which what changes
// moves to the front.
type model []tracestate.Member

func (m model) without(key string) model {
	return slices.DeleteFunc(slices.Clone(m), func(e tracestate.Member) bool { return e.Key == key })
}

func (m model) insert(key, value string) model {
	return append(model{{Key: key, Value: value}}, m.without(key)...)
}

// held is how many members OTel's type has to hold.
func (m model) held() (n int) {
	for _, e := range m {
		if tracestate.Holdable(e.Key) {
			n++
		}
	}
	return n
}

// trimmed does what OTel's type does when there are too many for it.
func (m model) trimmed() model {
	for m.held() > tracestate.MaxMembers {
		last := len(m) - 1
		for !tracestate.Holdable(m[last].Key) {
			last--
		}
		m = slices.Delete(m, last, last+1)
	}
	return m
}

// Whatever is done to a list in any order, what is sent is what the standard
// wants: a model does the same to one list.
func TestOrderIsThatOfAModel(t *testing.T) {
	held := []string{"a", "b", "c", "d", "t@s", "1@s"}
	beside := []string{"x@", "9", "y@@z", "0@0", "w@1"}
	for _, k := range numbered(30) {
		key, _, _ := strings.Cut(k, "=")
		held = append(held, key)
	}
	rapid.Check(t, func(t *rapid.T) {
		// A value never comes twice: one cannot tell a member that was set to what it
		// was from one that nobody touched.
		serial := 0
		fresh := func() string { serial++; return strconv.Itoa(serial) }
		keys := rapid.SliceOfNDistinct(rapid.SampledFrom(slices.Concat(held, beside)), 0, tracestate.MaxMembers,
			rapid.ID[string]).Draw(t, "keys")
		var want model
		for _, key := range keys {
			want = append(want, tracestate.Member{Key: key, Value: fresh()})
		}
		list, ok := tracestate.Read([]string{text(want)})
		require.True(t, ok)
		state := list.State
		for range rapid.IntRange(0, 12).Draw(t, "changes") {
			key := rapid.SampledFrom(held).Draw(t, "key")
			if rapid.Bool().Draw(t, "delete") {
				state, want = state.Delete(key), want.without(key)
			} else {
				value := fresh()
				var err error
				state, err = state.Insert(key, value)
				require.NoError(t, err)
				want = want.insert(key, value).trimmed()
			}
		}
		got, cut := tracestate.Encode(state, list.Beside(traceID))
		require.Equal(t, max(len(want)-tracestate.MaxMembers, 0), cut)
		require.Equal(t, text(want[:len(want)-cut]), got)
		appended, cut := tracestate.Append([]byte("before "), state, list.Beside(traceID))
		require.Equal(t, max(len(want)-tracestate.MaxMembers, 0), cut)
		require.Equal(t, "before "+got, string(appended))
	})
}
