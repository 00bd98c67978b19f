// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"encoding/binary"
	"math"
	"testing"

	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/sampling"
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

func (in *input) stages() []estimate.Stage {
	names := []string{"", "a", "b", "c"}
	stages := make([]estimate.Stage, in.byte()%4)
	for i := range stages {
		b := in.byte()
		stages[i] = estimate.Stage{
			Fanout: names[b%4], Recipient: names[b/4%4],
			Size: int(in.byte()%20) - 1, Chosen: int(in.byte()%20) - 1,
		}
	}
	return stages
}

// FuzzSample adds whatever there is, in two samples and in one, and holds that
// all estimates make sense and that two merged are as one.
func FuzzSample(f *testing.F) {
	f.Add([]byte{8, 12, 1, 1, 11, 6, 12, 8, 1, 1, 11, 6}, 0.5)
	f.Add([]byte{200, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f, 4, 0, 8, 0, 0}, 0.99)
	f.Add([]byte{8, 80, 2, 5, 11, 6, 10, 11, 6, 9, 4, 2, 5, 11, 6, 10, 11, 6}, 1.0)
	f.Fuzz(func(t *testing.T, bytes []byte, q float64) {
		in := input(bytes)
		var whole, left, right estimate.Sample
		added := 0
		for part := &left; len(in) > 0; added++ {
			value, weight, stages := in.float(), in.float(), in.stages()
			whole.Add(value, weight, stages...)
			part.Add(value, weight, stages...)
			if in.byte()%8 == 0 {
				part = &right
			}
		}
		if len(bytes) > 0 && bytes[0]%16 == 0 {
			whole.Shed("a")
			left.Shed("a")
		}
		tally := whole.Tally()
		if tally.Counted+tally.Exemplars+tally.Shed+tally.Invalid != added {
			t.Fatalf("%+v of %d", tally, added)
		}
		sane(t, whole.Count(), 0)
		sane(t, whole.Above(q), 0)
		sane(t, whole.Total(), 0)
		sane(t, whole.Mean(), 1)
		sane(t, whole.Quantile(q), 1)

		left.Merge(&right)
		if left.Tally() != tally {
			t.Fatalf("merged %+v, not %+v", left.Tally(), tally)
		}
		same(t, whole.Count(), left.Count())
	})
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

// FuzzAttributes reads whatever spans say.
func FuzzAttributes(f *testing.F) {
	f.Add(1000.0, 0.001, int64(10_000), int64(0))
	f.Add(math.NaN(), math.Inf(1), int64(-1), int64(1))
	f.Fuzz(func(t *testing.T, weight, share float64, size, shed int64) {
		attrs := []attribute.KeyValue{
			sampling.WeightKey.Float64(weight),
			sampling.ProbabilityKey.Float64(share),
			sampling.SizeKey.Int64(size),
			attribute.Int64("waybill.fanout.shed", shed),
		}
		w, ok := estimate.Weight(attrs)
		if ok && (shed != 0 || w != weight || w != 0 && !(w > 0.99 && w <= 1e15)) || !ok && w != 0 {
			t.Fatalf("%v %v", w, ok)
		}
		stage := estimate.StageOf("b", attrs)
		if stage.Fanout != "b" || stage.Chosen > stage.Size || stage.Size > 0 && stage.Chosen < 1 {
			t.Fatalf("%+v", stage)
		}
		var s estimate.Sample
		s.Add(1, w, stage)
		sane(t, s.Total(), 0)
	})
}
