// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package plain_test

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/internal/traces/plain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                                     "0 ns",
		999:                                   "999 ns",
		1500:                                  "1.5 µs",
		93_149:                                "93.1 µs",
		999_499:                               "999 µs",
		999_600:                               "1 ms",
		time.Millisecond:                      "1 ms",
		418 * time.Millisecond:                "418 ms",
		9_996 * time.Microsecond:              "10 ms",
		99_960 * time.Microsecond:             "100 ms",
		999_600 * time.Microsecond:            "1 s",
		1250 * time.Millisecond:               "1.25 s",
		119 * time.Second:                     "119 s",
		150 * time.Second:                     "2.5 min",
		3 * time.Hour:                         "3 h",
		math.MaxInt64:                         "2562048 h",
		-20 * time.Millisecond:                "-20 ms",
		math.MinInt64:                         "-2562048 h",
		time.Millisecond + 5*time.Microsecond: "1 ms",
	} {
		assert.Equal(t, want, plain.Duration(d), "%d", d)
	}
}

func TestPercent(t *testing.T) {
	for share, want := range map[float64]string{
		0: "0 %", 1e-9: "<1 %", 0.0049: "<1 %", 0.005: "1 %", 0.125: "13 %", 0.94: "94 %", 0.994: "99 %", 0.9999: "99 %", 1: "100 %",
		-1: "0 %", 7: "100 %", math.Inf(1): "100 %", math.Inf(-1): "0 %",
	} {
		assert.Equal(t, want, plain.Percent(share), "%v", share)
	}
	assert.Equal(t, "0 %", plain.Percent(math.NaN()))
}

func TestName(t *testing.T) {
	for _, test := range []struct {
		name   string
		length int
		want   string
	}{
		{"", 5, ""},
		{"guild", 5, "guild"},
		{"guilds", 5, "guil…"},
		{"日本語の名前です", 5, "日本語の…"},
		{"a\nb", 9, "a�b"},
		{"\x1b[31mred", 9, "�[31mred"},
		{"\xff\xfe", 9, "��"},
		{"abc\u202edef", 9, "abc�def"},
		{"zero\u200bwidth", 20, "zero�width"},
		{"two words", 20, "two words"},
		{"ab", 1, "…"},
	} {
		assert.Equal(t, test.want, plain.Name(test.name, test.length), "%q", test.name)
	}
}

func FuzzName(f *testing.F) {
	f.Add("guild\x00", 3)
	f.Add("\xc3", 1)
	f.Add(strings.Repeat("é", 100), 10)
	f.Fuzz(func(t *testing.T, name string, length int) {
		if length < 1 {
			return
		}
		out := plain.Name(name, length)
		assert.LessOrEqual(t, utf8.RuneCountInString(out), length)
		assert.True(t, utf8.ValidString(out))
		for _, r := range out {
			assert.True(t, unicode.IsPrint(r) || r == utf8.RuneError, "%q", r)
		}
	})
}

func TestFit(t *testing.T) {
	for _, test := range []struct {
		name    string
		columns int
		want    string
	}{
		{"guild", 5, "guild"}, {"guilds", 5, "guil…"}, {"日本語", 6, "日本語"}, {"日本語", 5, "日本…"}, {"日本語", 4, "日…"},
		{"日", 1, "…"}, {"a\x00", 2, "a�"}, {"e\u0301\u0301e", 2, "e\u0301\u0301e"}, {"🙂🙂", 3, "🙂…"}, {"", 3, ""},
	} {
		assert.Equal(t, test.want, plain.Fit(test.name, test.columns), "%q", test.name)
	}
}

func FuzzFit(f *testing.F) {
	f.Add("guild\x00", 3)
	f.Add("日本語", 5)
	f.Fuzz(func(t *testing.T, name string, columns int) {
		if columns < 1 {
			return
		}
		out := plain.Fit(name, columns)
		assert.LessOrEqual(t, plain.Columns(out), columns)
		assert.True(t, utf8.ValidString(out))
	})
}
