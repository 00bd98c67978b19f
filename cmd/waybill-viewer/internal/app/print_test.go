// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestATraceIsPrinted(t *testing.T) {
	code, out, err := once(t, asFile(t, order("POST /orders", 1)), "print", "-")
	assert.Zero(t, code)
	assert.Empty(t, err)
	for _, want := range []string{
		"trace 01ff0000000000000000000000000000: 2 spans of 2 services in 100 ms",
		"80 % of 100 ms: the message waited", "POST /orders", "stock Reserve", "shop",
	} {
		assert.Contains(t, out, want)
	}
	assert.NotContains(t, out, "\x1b", "this is no terminal")
	for line := range strings.Lines(out) {
		assert.LessOrEqual(t, len([]rune(line)), 121)
	}
	_, narrow, _ := once(t, asFile(t, order("POST /orders", 1)), "print", "-width", "80", "-")
	assert.NotEqual(t, out, narrow)
}

func TestSeveralTracesAreListed(t *testing.T) {
	file := asFile(t, order("first", 1), order("second \x1b[31m\nand a line", 2), order("third", 0x21))
	code, out, err := once(t, file, "print", "-")
	assert.Zero(t, code)
	assert.Empty(t, err)
	lines := strings.Split(out, "\n")
	assert.Len(t, lines, 6, out)
	assert.Contains(t, lines[1], "21ff0000000000000000000000000000")
	assert.Contains(t, lines[2], "second \uFFFD[31m\uFFFDand a line")
	assert.Contains(t, lines[3], "100 ms       2       1  shop")
	assert.Contains(t, lines[4], "-trace ID")

	code, out, err = once(t, file, "print", "-trace", "21F", "-")
	assert.Zero(t, code)
	assert.Empty(t, err)
	assert.Contains(t, out, "third")
	assert.NotContains(t, out, "first")

	code, _, err = once(t, file, "print", "-trace", "3", "-")
	assert.Equal(t, 1, code)
	assert.Contains(t, err, "there is no trace 3")
}

func TestHostileNamesAreHarmlessOnATerminal(t *testing.T) {
	code, out, err := once(t, asFile(t, order("\x1b]0;title\a\u202e\r\x9b31m"+strings.Repeat("n", 5000), 1)), "print", "-")
	assert.Zero(t, code)
	assert.Empty(t, err)
	for _, control := range []string{"\x1b", "\a", "\r", "\u202e", "\u009b"} {
		assert.NotContains(t, out, control)
	}
}
