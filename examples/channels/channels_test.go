// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRunPrintsOneUnbrokenTraceForEachOrder(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))

	traces := strings.Split(strings.TrimSpace(out.String()), "\n\n")
	require.Len(t, traces, orders)
	for _, trace := range traces {
		lines := strings.Split(trace, "\n")
		require.Len(t, lines, 5, trace)
		// Each span one step deeper than the one before: a chain.
		assert.Regexp(t, `^shop +take order `, lines[2])
		assert.Regexp(t, `^shop {7}price order `, lines[3])
		assert.Regexp(t, `^shop {9}ship order `, lines[4])
		for _, received := range lines[3:] {
			assert.Regexp(t, `ms +\d+\.\d{3} ms`, received, "a span of a received order says how long it waited")
		}
	}
}

// TestReadmeShowsTheDifference applies the README's diff to the code before,
// line by line, and compares the result with the code after.
func TestReadmeShowsTheDifference(t *testing.T) {
	readme := read(t, "README.md")
	diff := regexp.MustCompile("(?s)```diff\n(.*?)```").FindStringSubmatch(readme)
	require.NotNil(t, diff, "the README has no diff")

	before := lines(read(t, "before/pipeline.go"))
	after := lines(read(t, "after/pipeline.go"))
	var patched []string
	at := 0 // in before
	for _, line := range lines(diff[1]) {
		if strings.HasPrefix(line, "@@") {
			continue
		}
		mark, text := line[:1], line[1:]
		if mark == "+" {
			patched = append(patched, text)
			continue
		}
		for at < len(before) && before[at] != text { // Between hunks.
			patched = append(patched, before[at])
			at++
		}
		require.Less(t, at, len(before), "not in the code before: %q", text)
		at++
		if mark == " " {
			patched = append(patched, text)
		}
	}
	assert.Equal(t, after, append(patched, before[at:]...))
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(content)
}

func lines(s string) []string { return strings.Split(strings.TrimSuffix(s, "\n"), "\n") }
