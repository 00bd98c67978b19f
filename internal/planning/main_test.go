// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/sampling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// planOf plans a fan-out to n that knows of no other.
func planOf(c sampling.GroupConfig, n int, random *rand.Rand) planning.Plan {
	return planning.Planner{Config: c, Random: random}.Plan(n)
}

// flat is the curve that gives every fan-out the same probability.
func flat(t testing.TB, probability float64) sampling.Curve {
	t.Helper()
	c, err := sampling.NewCurve(sampling.Point{Size: 1, Probability: probability})
	require.NoError(t, err)
	return c
}

// exactly is the configuration that samples k of any n above it.
func exactly(k int) sampling.GroupConfig {
	return sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: k}
}
