// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReportShape(t *testing.T) {
	var out strings.Builder
	h := host{goVersion: "go1.99", cpu: "Abacus 9", commit: "abc1234", procs: 3}
	require.NoError(t, newReport(h, []result{threeRounds()}).write(&out))
	assert.JSONEq(t, `{
		"go": "go1.99", "cpu": "Abacus 9", "commit": "abc1234",
		"results": [
			{"name": "work/raw", "median_ns": 120, "min_ns": 100, "max_ns": 1000, "allocs": 1, "bytes": 64, "runs": 3},
			{"name": "work/ours", "median_ns": 500, "min_ns": 50, "max_ns": 600, "allocs": 0, "bytes": 16, "runs": 3}
		],
		"ratios": [
			{"name": "work ours/raw", "value": 0.5, "target": 0.5, "ok": true},
			{"name": "work ours/raw", "value": 0.5, "target": 0.49, "ok": false},
			{"name": "work ours bytes", "value": 16, "target": 24, "ok": true}
		]}`, out.String())
}

func TestAnEmptyReportHasLists(t *testing.T) {
	var out strings.Builder
	require.NoError(t, newReport(host{}, nil).write(&out))
	assert.JSONEq(t, `{"go": "", "cpu": "", "commit": "", "results": [], "ratios": []}`, out.String())
}
