// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling_test

import (
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/sampling"
)

// within says, independently of the package, what may stand in a tracestate.
func within(f sampling.Fanout) bool {
	return !math.IsNaN(f.Weight) && !math.IsNaN(f.Probability) &&
		!(f.Weight < 1) && !(f.Weight > 1e15) &&
		!(f.Probability <= 0) && !(f.Probability > 1) &&
		!(f.Size < 1) && !(f.Size > 1<<31-1) &&
		!(f.Depth < 1) && !(f.Depth > 64)
}

var (
	plainNumber = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?(e[+-]?[0-9]{1,3})?$`)
	plainWhole  = regexp.MustCompile(`^[0-9]{1,30}$`)
)

// readPlainly is an oracle for members of the four fields, once each, with
// numbers of the plainest form. It reads those as exact fractions. For all
// others it reports that it does not know.
func readPlainly(member string) (f sampling.Fanout, known bool) {
	fields := strings.Split(member, ";")
	if len(fields) != 4 {
		return f, false
	}
	slices.Sort(fields)
	numbers := make([]*big.Rat, 4)
	for i, form := range []*regexp.Regexp{plainWhole, plainWhole, plainNumber, plainNumber} {
		text, ok := strings.CutPrefix(fields[i], "dnpw"[i:i+1]+":")
		if !ok || !form.MatchString(text) {
			return f, false
		}
		numbers[i], ok = new(big.Rat).SetString(text)
		if !ok {
			return f, false
		}
	}
	for i, limit := range []int64{64, math.MaxInt32} {
		if numbers[i].Sign() <= 0 || numbers[i].Cmp(new(big.Rat).SetInt64(limit)) > 0 {
			return sampling.Fanout{}, true
		}
	}
	f.Depth, f.Size = int(numbers[0].Num().Int64()), int(numbers[1].Num().Int64())
	f.Probability, _ = numbers[2].Float64()
	f.Weight, _ = numbers[3].Float64()
	if !within(f) {
		return sampling.Fanout{}, true
	}
	return f, true
}

func FuzzFanoutFrom(f *testing.F) {
	for _, member := range []string{
		"", "w:12.5;p:0.08;n:25;d:2", "d:2;n:25;p:0.08;w:12.5", "w:12.5;p:0.08;n:25;d:2;x:y", "w:NaN;p:NaN;n:NaN;d:NaN",
		"w:1e300;p:0.1;n:1;d:1", "w:1;p:1e-320;n:1;d:1", "w:-1;p:-1;n:-1;d:-1", "w:1;p:1;n:1;d:99999999999", ";;;:::", "w:1;w:2",
		"w:0x1p4;p:0x1p-4;n:+7;d:+1", "w:1e15;p:1;n:2147483647;d:64",
	} {
		f.Add(member)
	}
	f.Fuzz(func(t *testing.T, member string) {
		state, err := trace.ParseTraceState("a=1,waybill=" + member + ",z=2")
		if err != nil || state.Get("waybill") != member { // With a comma it is several members.
			return
		}
		got := sampling.FanoutFrom(state)
		if got != (sampling.Fanout{}) && !within(got) {
			t.Fatalf("%q gave %+v", member, got)
		}
		if want, known := readPlainly(member); known && got != want {
			t.Fatalf("%q gave %+v; want %+v", member, got, want)
		}
		if got == (sampling.Fanout{}) {
			return
		}
		again := got.Put(state)
		if back := sampling.FanoutFrom(again); back != got {
			t.Fatalf("%q gave %+v, and that %+v", member, got, back)
		}
		if rest := others(again); !slices.Equal(rest, []string{"a=1", "z=2"}) {
			t.Fatalf("%q left %v", member, rest)
		}
	})
}

func FuzzFanoutRoundTrip(f *testing.F) {
	f.Add(1000.0/3, 0.003, 1000, 1, 0)
	f.Add(1.0, 1.0, 1, 1, 31)
	f.Add(1e15, 5e-324, math.MaxInt32, 64, 32)
	f.Add(math.NaN(), 0.5, 1, 1, 2)
	f.Add(1e300, 0.5, 1, 1, 2)
	f.Add(2.0, math.Inf(1), -1, 65, 2)
	f.Fuzz(func(t *testing.T, weight, probability float64, size, depth, count int) {
		fan := sampling.Fanout{Weight: weight, Probability: probability, Size: size, Depth: depth}
		count = int(uint(count) % 33)
		before := parse(t, members(count))
		after := fan.Put(before)
		if !within(fan) {
			if after.String() != before.String() {
				t.Fatalf("%+v was put: %v", fan, after)
			}
			return
		}
		if got := sampling.FanoutFrom(after); got != fan {
			t.Fatalf("%+v came back as %+v", fan, got)
		}
		if rest, want := strings.Join(others(after), ","), members(min(count, 31)); rest != want {
			t.Fatalf("the others are %s; want %s", rest, want)
		}
		if n := len(after.Get("waybill")); n > 256 {
			t.Fatal("the standard allows 256 characters, not " + strconv.Itoa(n))
		}
	})
}
