// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tiny is as little as can be measured.
var tiny = roundPlan{rounds: 2, least: 2, batch: time.Nanosecond, stall: time.Minute}

func TestWrongFlagsGiveOneLineAndExitTwo(t *testing.T) {
	for _, args := range [][]string{
		{"-wrong"},
		{"-rounds", "x"},
		{"-rounds", "5"},
		{"-rounds", "-1"},
		{"-run", "("},
		{"-run", "no such row"},
		{"-quick", "-run", "^spawn$"},
		{"surplus"},
	} {
		var stdout, stderr bytes.Buffer
		assert.Equal(t, exitUsage, run(args, &stdout, &stderr), args)
		assert.Empty(t, stdout.String(), args)
		assert.Equal(t, 1, strings.Count(stderr.String(), "\n"), "%q: %s", args, &stderr)
		assert.True(t, strings.HasPrefix(stderr.String(), "bench: "), "%q: %s", args, &stderr)
	}
}

func TestHelpNamesFlagsAndRows(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Equal(t, 0, run([]string{"-h"}, &stdout, &stderr))
	assert.Empty(t, stderr.String())
	for _, flag := range []string{"-quick", "-json FILE", "-run REGEXP", "-rounds N"} {
		assert.Contains(t, stdout.String(), flag)
	}
	for _, r := range allRows() {
		assert.Contains(t, stdout.String(), r.about)
	}
}

func TestSelection(t *testing.T) {
	names := func(args ...string) (names []string) {
		o, err := parse(args)
		require.NoError(t, err)
		for _, r := range o.rows {
			names = append(names, r.name)
		}
		return names
	}
	assert.Equal(t, []string{"send", "fanout-10000", "call", "sampled", "blocked-100"}, names("-quick"))
	assert.Equal(t, []string{"call"}, names("-quick", "-run", "call"))
	assert.Equal(t, []string{"call", "call-deadline"}, names("-run", "^call"))
	assert.Len(t, names(), len(allRows()))
}

func TestPlans(t *testing.T) {
	quick, err := parse([]string{"-quick"})
	require.NoError(t, err)
	assert.GreaterOrEqual(t, quick.plan.least, 6)
	assert.LessOrEqual(t, quick.plan.allowance*time.Duration(len(quick.rows)), 40*time.Second)

	exact, err := parse([]string{"-quick", "-rounds", "50"})
	require.NoError(t, err)
	assert.Equal(t, 50, exact.plan.rounds)
	assert.Zero(t, exact.plan.allowance)
}

func TestARunPrintsAndWrites(t *testing.T) {
	file := filepath.Join(t.TempDir(), "figures.json")
	o := options{json: file, rows: []row{small(allRows()[0])}, plan: tiny}
	var out bytes.Buffer
	require.NoError(t, o.measure(&out))
	assert.Contains(t, out.String(), "send ours-untraced/raw")

	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var rep report
	require.NoError(t, json.Unmarshal(text, &rep))
	require.Len(t, rep.Results, 5)
	assert.Equal(t, "send/raw", rep.Results[0].Name)
	assert.Equal(t, tiny.rounds, rep.Results[0].Runs)
	assert.Positive(t, rep.Results[0].MedianNS)
	assert.Len(t, rep.Ratios, 2)
}

func TestAFileThatCannotBeWrittenFailsAtOnce(t *testing.T) {
	var stdout, stderr bytes.Buffer
	code := run([]string{"-json", filepath.Join(t.TempDir(), "none", "figures.json")}, &stdout, &stderr)
	assert.Equal(t, exitFailed, code)
	assert.Empty(t, stdout.String())
	assert.Equal(t, 1, strings.Count(stderr.String(), "\n"))
}
