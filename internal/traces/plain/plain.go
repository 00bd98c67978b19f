// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package plain writes durations, shares and names as people read them. Names come from
// strangers, so what is written of them is short and harmless on a terminal and in a page.
package plain

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Duration writes d with a unit and three significant digits at most: 418 ms, 1.25 s, 93.1 µs. From two
// minutes on it writes minutes, and from two hours on hours. A negative d begins with a minus.
func Duration(d time.Duration) string {
	if d < 0 {
		return "-" + Duration(-max(d, -math.MaxInt64))
	}
	ns := float64(d)
	switch {
	case d < time.Microsecond:
		return strconv.FormatInt(int64(d), 10) + " ns"
	case d < rounded(time.Millisecond):
		return digits(ns/1e3) + " µs"
	case d < rounded(time.Second):
		return digits(ns/1e6) + " ms"
	case d < 2*time.Minute:
		return digits(ns/1e9) + " s"
	case d < 2*time.Hour:
		return digits(ns/60e9) + " min"
	default:
		return digits(ns/3600e9) + " h"
	}
}

// rounded returns the least duration that is written with the larger unit: 999.6 ms is 1.00 s.
func rounded(unit time.Duration) time.Duration { return unit - unit/2000 }

// digits writes f, which is not negative, with three significant digits at most, and with all that
// stand before the point.
func digits(f float64) string {
	places := 2
	switch {
	case f >= 99.95:
		places = 0
	case f >= 9.995:
		places = 1
	}
	text := strconv.FormatFloat(f, 'f', places, 64)
	if places > 0 {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// Percent writes a share as a whole percentage: 0.94 as "94 %". Only all of it is 100 %, only
// nothing is 0 %, and what is so little that it would be 0 % is "<1 %". A share outside of 0 to 1 is
// taken for the nearer of these, and one that is no number for 0.
func Percent(share float64) string {
	switch {
	case share >= 1:
		return "100 %"
	case !(share > 0):
		return "0 %"
	case share < 0.005:
		return "<1 %"
	default:
		return strconv.Itoa(int(min(math.Round(100*share), 99))) + " %"
	}
}

// Name writes at most length characters of what a stranger has called something, a positive
// number. If it is longer, its last character is "…". Characters that a terminal or a reader could
// take for something else, such as control characters and those that turn the direction of a
// text, become "�".
func Name(s string, length int) string {
	var b strings.Builder
	n, last := 0, 0 // The characters written, and where the last of them begins.
	for _, r := range s {
		if n == length {
			return b.String()[:last] + "…"
		}
		last = b.Len()
		b.WriteRune(harmless(r))
		n++
	}
	return b.String()
}

// harmless returns r, or what stands for it.
func harmless(r rune) rune {
	if r == utf8.RuneError || !unicode.IsPrint(r) {
		return utf8.RuneError
	}
	return r
}

// Columns returns how many columns of a terminal s takes.
func Columns(s string) int {
	n := 0
	for _, r := range s {
		n += columns(r)
	}
	return n
}

// Fit is like [Name], for a place of so many columns of a terminal.
func Fit(s string, wide int) string {
	var b strings.Builder
	n, room := 0, 0 // The columns written, and the bytes that leave one for "…".
	for _, r := range s {
		r = harmless(r)
		n += columns(r)
		if n > wide {
			return b.String()[:room] + "…"
		}
		b.WriteRune(r)
		if n < wide {
			room = b.Len()
		}
	}
	return b.String()
}

// columns returns how many columns of a terminal r takes: none if it is drawn over the character
// before, and two if it is as wide as it is high.
func columns(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana, wide):
		return 2
	default:
		return 1
	}
}

// wide has punctuation of East Asian scripts, full-width forms and pictures.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x3000, Hi: 0x303e, Stride: 1}, {Lo: 0xff01, Hi: 0xff60, Stride: 1}, {Lo: 0xffe0, Hi: 0xffe6, Stride: 1}},
	R32: []unicode.Range32{{Lo: 0x1f300, Hi: 0x1f64f, Stride: 1}, {Lo: 0x1f680, Hi: 0x1f6ff, Stride: 1}, {Lo: 0x1f900, Hi: 0x1faff, Stride: 1}},
}
