// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/examples/internal/readmetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRunPrintsOneUnbrokenTraceForEachOrder(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))

	traces := strings.Split(out.String(), "\n\nservice")[1:]
	require.Len(t, traces, orders)
	for _, trace := range traces {
		trace, _, _ = strings.Cut(trace, "\n\n")
		lines := strings.Split(trace, "\n")
		require.Len(t, lines, 4, trace)
		// Each span one step deeper than the one before: a chain.
		assert.Regexp(t, `^shop +take order `, lines[1])
		assert.Regexp(t, `^shop {7}price order `, lines[2])
		assert.Regexp(t, `^shop {9}ship order `, lines[3])
		for _, received := range lines[2:] {
			assert.Regexp(t, `[mµn]s +[\d.]+ [mµ]s$`, received, "a span of a received order says how long it waited")
		}
	}
}

func TestReadmeShowsTheDifference(t *testing.T) {
	readmetest.ShowsDifference(t, "before/pipeline.go", "after/pipeline.go")
}
