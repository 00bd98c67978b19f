// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	parts := strings.Split(strings.TrimSpace(out.String()), "\n\n")
	require.Len(t, parts, 6, out.String())
	assert.Equal(t, "16 relays pass each message on to 13600 sessions.", parts[0])

	// Below each relay that is shown there is its broadcast, and below that a session.
	assert.Contains(t, parts[2], "hub        broadcast relays ")
	assert.Regexp(t, `hub {10}relay News .*\n`+
		`hub {12}broadcast sessions .*\n`+
		`hub {14}session News .* × (971\.4|1046)`, parts[2]) // 14 or 13 of 13,600.

	rows := strings.Split(parts[4], "\n")
	require.Len(t, rows, 1+broadcasts)
	spans := 0
	for i, row := range rows[1:] {
		var broadcast, planned, recorded, sessions int
		var weights float64
		_, err := fmt.Sscan(row, &broadcast, &planned, &recorded, &weights, &sessions)
		require.NoError(t, err, row)
		assert.Equal(t, i+1, broadcast)
		assert.Contains(t, []int{13, 14}, planned, "0.1 % of 13,600")
		assert.Equal(t, planned, recorded, "the relays spend what was planned, and no more")
		assert.InDelta(t, 13600, weights, 0, "the spans stand for every session")
		assert.Equal(t, 13600, sessions)
		spans += recorded
	}

	var rested int
	var estimated, stderr, counted float64
	_, err := fmt.Sscanf(parts[5], "written to clients, estimated from %d spans: %f ± %f MB\n"+
		"written to clients, counted in all sessions: %f MB", &rested, &estimated, &stderr, &counted)
	require.NoError(t, err, parts[3])
	assert.Equal(t, spans, rested)
	assert.InDelta(t, 21.01, counted, 0, "10 times to 13,600 sessions, 154.5 bytes each on average")
	assert.Positive(t, stderr)
	// Sessions write from 105 to 204 bytes, and the weights add up. So no choice of
	// sessions takes the estimate out of these bounds.
	assert.GreaterOrEqual(t, estimated, 105*13600*broadcasts/1e6-0.01)
	assert.LessOrEqual(t, estimated, 204*13600*broadcasts/1e6+0.01)
	assert.InDelta(t, counted, estimated, 6*stderr+0.01)
}
