// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package readmetest checks what the READMEs of examples show.
package readmetest

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ShowsDifference fails unless the README in the working directory has one block of diff,
// and this diff leads from the file before to the file after. If the README has more blocks,
// it is about the one that begins with the names of both files, as diff writes them. It
// returns how many lines the diff adds, and how many it takes away.
func ShowsDifference(t *testing.T, before, after string) (added, removed int) {
	t.Helper()
	var diffs, named []string
	for _, block := range regexp.MustCompile("(?s)```diff\n(.*?)```").FindAllStringSubmatch(read(t, "README.md"), -1) {
		diffs = append(diffs, block[1])
		if diff, ok := strings.CutPrefix(block[1], fmt.Sprintf("--- %s\n+++ %s\n", before, after)); ok {
			named = append(named, diff)
		}
	}
	if named != nil {
		diffs = named
	}
	require.Len(t, diffs, 1, "the README should have one diff from %s to %s", before, after)
	patched, err := Apply(read(t, before), diffs[0])
	require.NoError(t, err)
	assert.Equal(t, read(t, after), patched)
	for _, line := range lines(diffs[0]) {
		switch line[:1] {
		case "+":
			added++
		case "-":
			removed++
		}
	}
	return added, removed
}

// Apply applies a diff to a text, line by line. It looks for the lines of a hunk behind those
// of the hunk before.
func Apply(text, diff string) (string, error) {
	before := lines(text)
	var patched []string
	at := 0 // in before
	for _, line := range lines(diff) {
		if line == "" {
			return "", errors.New("a line of the diff has no mark")
		}
		if strings.HasPrefix(line, "@@") {
			continue
		}
		mark, content := line[:1], line[1:]
		if mark == "+" {
			patched = append(patched, content)
			continue
		}
		for at < len(before) && before[at] != content { // Between hunks.
			patched = append(patched, before[at])
			at++
		}
		if at == len(before) {
			return "", fmt.Errorf("not in the code before: %q", content)
		}
		at++
		if mark == " " {
			patched = append(patched, content)
		}
	}
	return strings.Join(append(patched, before[at:]...), "\n") + "\n", nil
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(content)
}

func lines(s string) []string { return strings.Split(strings.TrimSuffix(s, "\n"), "\n") }
