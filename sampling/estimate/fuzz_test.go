// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/waybill-go/waybill/sampling/estimate"
)

// input reads values of all sorts from bytes; zeros when there are none left.
type input []byte

func (in *input) byte() (b byte) {
	if len(*in) > 0 {
		b, *in = (*in)[0], (*in)[1:]
	}
	return b
}

// float gives simple numbers as often as any.
func (in *input) float() float64 {
	switch b := in.byte(); {
	case b < 100:
		return float64(b) / 4
	case b < 200:
		return math.Pow(10, float64(b)-150)
	default:
		var bits [8]byte
		for i := range bits {
			bits[i] = in.byte()
		}
		return math.Float64frombits(binary.LittleEndian.Uint64(bits[:]))
	}
}

// sane holds that an estimate is a number with an interval around it, or that
// there was nothing to estimate from, if that may be.
func sane(t *testing.T, e estimate.Estimate, nothing int) {
	t.Helper()
	if nothing == 1 && math.IsNaN(e.Value) && math.IsInf(e.StdErr, 1) {
		return
	}
	ordered := e.Low <= e.Value && e.Value <= e.High
	if math.IsInf(e.Value, 0) || !(e.StdErr >= 0) || !ordered {
		t.Fatalf("%+v", e)
	}
}

func same(t *testing.T, a, b estimate.Estimate) {
	t.Helper()
	near := func(x, y float64) bool { return x == y || math.Abs(x-y) <= 1e-6*(math.Abs(a.Value)+math.Abs(a.StdErr)) }
	if !near(a.Value, b.Value) || !near(a.StdErr, b.StdErr) {
		t.Fatalf("%+v, not %+v", b, a)
	}
}
