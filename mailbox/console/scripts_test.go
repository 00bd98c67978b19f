// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/sampling"
)

func nodeJS(t *testing.T) string {
	t.Helper()
	node, err := exec.LookPath("node")
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatal("there is no Node.js, which continuous integration should have installed")
	default:
		t.Skip("the scripts of the console are tested with Node.js, which is not installed here")
	}
	return node
}

// Scripts of the pages that compute something are tested with the test runner of Node.js.
// Each test imports them from the directory from which they are served.
func TestScripts(t *testing.T) {
	node := nodeJS(t)
	tests, err := filepath.Glob("testdata/scripts/*.test.mjs")
	require.NoError(t, err)
	require.NotEmpty(t, tests)
	for _, test := range tests {
		t.Run(strings.TrimSuffix(filepath.Base(test), ".test.mjs"), func(t *testing.T) {
			t.Parallel()
			said, err := exec.CommandContext(t.Context(), node, test).CombinedOutput()
			assert.NoError(t, err, "%s", said)
			assert.NotContains(t, string(said), "tests 0\n")
		})
	}
}

// The page draws the curve that the program follows.
func TestCurvesAreDrawnAsTheyAre(t *testing.T) {
	node := nodeJS(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	type drawn struct {
		Curve sampling.Curve `json:"curve"`
		Sizes []int          `json:"sizes"`
	}
	curves := []drawn{{Curve: sampling.DefaultCurve()}, {Curve: sampling.Always()}}
	for range 50 {
		points := make(map[int]sampling.Point)
		for range 1 + random.IntN(6) {
			size := 1 + int(math.Exp(random.Float64()*15))
			points[size] = sampling.Point{Size: size, Probability: math.Exp(-random.Float64() * 10)}
		}
		curves = append(curves, drawn{Curve: must(sampling.NewCurve(slices.Collect(maps.Values(points))...))})
	}
	for i := range curves {
		for size := 1; size < 1e7; size += 1 + size*random.IntN(100)/100 {
			curves[i].Sizes = append(curves[i].Sizes, size)
		}
	}
	program := exec.CommandContext(t.Context(), node, "--input-type=module", "--eval", `
		import { readFileSync } from "node:fs";
		import { probability } from "./assets/curve.js";
		const curves = JSON.parse(readFileSync(0, "utf8"));
		console.log(JSON.stringify(curves.map(({ curve, sizes }) => sizes.map((size) => probability(curve, size)))));`)
	program.Stdin = bytes.NewReader(must(json.Marshal(curves)))
	said, err := program.Output()
	require.NoError(t, err)
	var got [][]float64
	require.NoError(t, json.Unmarshal(said, &got))
	require.Len(t, got, len(curves))
	for i, c := range curves {
		require.Len(t, got[i], len(c.Sizes))
		for j, size := range c.Sizes {
			require.InEpsilon(t, c.Curve.Probability(size), got[i][j], 1e-9, "curve %d at %d", i, size)
		}
	}
}
