// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package tracestate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/tracestate"
)

// numbered returns n members with keys and values of their own.
func numbered(n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("k%02d=%d", i, i))
	}
	return list
}

func TestParse(t *testing.T) {
	k, v := strings.Repeat("k", 256), strings.Repeat("v", 256)
	for name, tt := range map[string]struct {
		in      []string
		want    string
		dropped int
	}{
		"no line":               {},
		"empty":                 {in: []string{""}},
		"nothing but separator": {in: []string{" ,\t,, "}},
		"one":                   {in: []string{"a=1"}, want: "a=1"},
		"white space":           {in: []string{" \ta=1\t ,\t b=2 "}, want: "a=1,b=2"},
		"leading space of value": {
			in: []string{"a=  1 2"}, want: "a=  1 2",
		},
		"several lines":      {in: []string{"a=1,b=2", "", "c=3", ",d=4,"}, want: "a=1,b=2,c=3,d=4"},
		"digit first":        {in: []string{"1st=1,007=2"}, want: "1st=1,007=2"},
		"at signs":           {in: []string{"a@b=1,a@=2,a@@b=3,a@b@c=4,1@2=5"}, want: "a@b=1,a@=2,a@@b=3,a@b@c=4,1@2=5"},
		"all of a key":       {in: []string{"a_-*/@0=1"}, want: "a_-*/@0=1"},
		"all of a value":     {in: []string{"a=!\"#$%&'()*+-./:;<>?@[\\]^_`{|}~ Az09"}, want: "a=!\"#$%&'()*+-./:;<>?@[\\]^_`{|}~ Az09"},
		"longest":            {in: []string{k + "=" + v}, want: k + "=" + v},
		"longest of a digit": {in: []string{"1" + k[1:] + "=" + v}, want: "1" + k[1:] + "=" + v},
		"32":                 {in: numbered(32), want: strings.Join(numbered(32), ",")},
		"32 and empty ones":  {in: append(numbered(32), "", " ,,"), want: strings.Join(numbered(32), ",")},
		"the first of a key": {in: []string{"a=1,b=2,a=3", "b=2,a=4"}, want: "a=1,b=2", dropped: 3},
	} {
		t.Run(name, func(t *testing.T) {
			members, dropped, ok := tracestate.Parse(nil, tt.in)
			assert.True(t, ok)
			assert.Equal(t, tt.want, text(members))
			assert.Equal(t, tt.dropped, dropped)
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, in := range map[string][]string{
		"no sign":                 {"a"},
		"no key":                  {"=1"},
		"no value":                {"a="},
		"no value but space":      {"a= \t"},
		"two signs":               {"a=1=2"},
		"space behind the key":    {"a =1"},
		"tab in the value":        {"a=1\t2"},
		"tab before the value":    {"a=\t1"},
		"control":                 {"a=1\x1f2"},
		"delete":                  {"a=1\x7f"},
		"upper case":              {"aB=1"},
		"dot":                     {"a.b=1"},
		"at sign first":           {"@a=1"},
		"underscore first":        {"_a=1"},
		"beyond ASCII in a key":   {"ä=1"},
		"beyond ASCII in a value": {"a=ä"},
		"key too long":            {strings.Repeat("k", 257) + "=1"},
		"value too long":          {"a=" + strings.Repeat("v", 257)},
		"33":                      numbered(33),
		"33 with one key":         append(numbered(32), "k00=1"),
		"a bad one behind":        {"a=1,b=2,c"},
		"a bad line behind":       {"a=1", "c"},
	} {
		t.Run(name, func(t *testing.T) {
			members, dropped, ok := tracestate.Parse(nil, in)
			assert.False(t, ok)
			assert.Nil(t, members)
			assert.Zero(t, dropped)
			list, ok := tracestate.Read(in)
			assert.False(t, ok)
			assert.Zero(t, list)
		})
	}
}

// Every byte is right or wrong at each of the places where it may stand as the
// grammar says.
func TestEveryByteOfAMember(t *testing.T) {
	const start, char = "abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghijklmnopqrstuvwxyz0123456789_-*/@"
	for b := range 256 {
		c := string([]byte{byte(b)})
		visible := b > ' ' && b <= '~' && b != ',' && b != '='
		assert.Equal(t, strings.Contains(start, c), tracestate.ValidKey(c+"a"), "%q first", c)
		assert.Equal(t, strings.Contains(char, c), tracestate.ValidKey("a"+c), "%q in a key", c)
		assert.Equal(t, visible || b == ' ', tracestate.ValidValue(c+"1"), "%q in a value", c)
		assert.Equal(t, visible, tracestate.ValidValue("1"+c), "%q last", c)
	}
	assert.False(t, tracestate.ValidKey(""))
	assert.False(t, tracestate.ValidValue(""))
}

// What OTel's type takes is known, and not only guessed.
func TestHoldableIsWhatOTelTakes(t *testing.T) {
	tenant, system := strings.Repeat("t", 242), strings.Repeat("s", 15)
	var held int
	keys := []string{
		"a", "1", "a1", "1a", "a@b", "1@b", "a@1", "a@", "a@@b", "a@b@", "a@b@c", "a_-*/", "a@b_-*/", "1_@b",
		tenant[:241] + "@" + system[:14], tenant + "@s", "t@" + system, strings.Repeat("k", 256), "1" + strings.Repeat("k", 255),
	}
	for _, key := range keys {
		assert.True(t, tracestate.ValidKey(key), key)
		_, err := trace.ParseTraceState(key + "=1")
		assert.Equal(t, err == nil, tracestate.Holdable(key), key)
		if err == nil {
			held++
		}
	}
	assert.Greater(t, held, 5)
	assert.Less(t, held, len(keys)-5)
}

func TestReadIsParse(t *testing.T) {
	for _, lines := range [][]string{
		nil, {""}, {"a=1"}, {" a=1\t"}, {"1=1"}, {"a=1,b=2"}, {"a=1", "b=2"}, {"foo@=1"}, {"a=1,foo@@=2,b=3"},
		{"a=1,a=2"}, {"a=1,1=1,a=2,1=2"}, {strings.Join(numbered(32), ",")}, {"a=" + strings.Repeat("v", 256), "1=1"},
		{strings.Repeat(",", 600) + "a=1"}, {strings.Join(slices.Repeat([]string{" "}, 50), ",")},
	} {
		members, dropped, ok := tracestate.Parse(nil, lines)
		assert.True(t, ok)
		for range 4 { // The later ones are remembered.
			list := read(t, lines...)
			assert.Equal(t, text(members), encode(list), "%q", lines)
			assert.Equal(t, dropped, list.Dropped, "%q", lines)
			list.State.Walk(func(key, _ string) bool { return assert.True(t, tracestate.Holdable(key), key) })
		}
	}
}
