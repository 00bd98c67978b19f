// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout_test

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
)

// within says, independently of the package, what may stand in a tracestate.
func within(f fanout.Fanout) bool {
	return !math.IsNaN(f.Weight) && !math.IsNaN(f.Probability) &&
		!(f.Weight < 1) && !(f.Weight > 1e15) &&
		!(f.Probability <= 0) && !(f.Probability > 1) &&
		!(f.Size < 1) && !(f.Size > 1<<31-1) &&
		!(f.Depth < 1) && !(f.Depth > 64) &&
		withinWeight(f.Weight, f.Probability, f.Depth) &&
		(f.Budget == 0 && f.MeanBudget == 0 || withinBudget(f.Budget, f.MeanBudget))
}

// withinWeight says whether weight is 1/probability, times at least 1 below the
// first fan-out, and cut off at 1e15.
func withinWeight(weight, probability float64, depth int) bool {
	above := weight * probability
	switch {
	case weight == 1e15 && above < 1:
		return true
	case depth == 1:
		return above >= 1-1e-9 && above <= 1+1e-9
	default:
		return above >= 1-1e-9
	}
}

// withinBudget says whether budget may be mean rounded down or up; near a whole
// number it does not matter which.
func withinBudget(budget int, mean float64) bool {
	low, high := math.Floor(mean-1e-6), math.Ceil(mean+1e-6)
	return mean > 0 && mean <= 1<<31-1 && budget >= 1 && budget <= 1<<31-1 &&
		float64(budget) >= low && float64(budget) <= high
}

var (
	plainNumber = regexp.MustCompile(`^(0|[1-9][0-9]*)(\.[0-9]+)?(e[+-]?[0-9]{1,3})?$`)
	plainWhole  = regexp.MustCompile(`^(0|[1-9][0-9]{0,29})$`)
)

// readPlainly is an oracle for members of the four fields, or of those and a
// budget, once each, with numbers of the plainest form. It reads those as exact
// fractions, and takes them if they are as fmt prints them. For all others it
// reports that it does not know.
func readPlainly(member string) (f fanout.Fanout, known bool) {
	fields := strings.Split(member, ";")
	slices.Sort(fields)
	names, forms := "dnpw", []*regexp.Regexp{plainWhole, plainWhole, plainNumber, plainNumber}
	if len(fields) == 6 {
		names, forms = "bdenpw", []*regexp.Regexp{plainWhole, plainWhole, plainNumber, plainWhole, plainNumber, plainNumber}
	}
	if len(fields) != len(names) {
		return f, false
	}
	numbers := make([]*big.Rat, len(names))
	for i, form := range forms {
		text, ok := strings.CutPrefix(fields[i], names[i:i+1]+":")
		if !ok || !form.MatchString(text) {
			return f, false
		}
		numbers[i], ok = new(big.Rat).SetString(text)
		if !ok {
			return f, false
		}
		if float, _ := numbers[i].Float64(); form == plainNumber && fmt.Sprintf("%g", float) != text {
			return fanout.Fanout{}, true
		}
	}
	if len(numbers) == 6 {
		if numbers[0].Cmp(new(big.Rat).SetInt64(math.MaxInt32)) > 0 {
			return fanout.Fanout{}, true
		}
		f.Budget = int(numbers[0].Num().Int64())
		f.MeanBudget, _ = numbers[2].Float64()
		numbers = []*big.Rat{numbers[1], numbers[3], numbers[4], numbers[5]}
	}
	for i, limit := range []int64{64, math.MaxInt32} {
		if numbers[i].Sign() <= 0 || numbers[i].Cmp(new(big.Rat).SetInt64(limit)) > 0 {
			return fanout.Fanout{}, true
		}
	}
	f.Depth, f.Size = int(numbers[0].Num().Int64()), int(numbers[1].Num().Int64())
	f.Probability, _ = numbers[2].Float64()
	f.Weight, _ = numbers[3].Float64()
	if !within(f) {
		return fanout.Fanout{}, true
	}
	return f, true
}

func FuzzFromTraceState(f *testing.F) {
	for _, member := range []string{
		"", "w:12.5;p:0.08;n:25;d:2", "d:2;n:25;p:0.08;w:12.5", "w:12.5;p:0.08;n:25;d:2;x:y", "w:NaN;p:NaN;n:NaN;d:NaN",
		"w:1e300;p:0.1;n:1;d:1", "w:1;p:1e-320;n:1;d:1", "w:-1;p:-1;n:-1;d:-1", "w:1;p:1;n:1;d:99999999999", ";;;:::", "w:1;w:2",
		"w:0x1p4;p:0x1p-4;n:+7;d:+1", "w:1e+15;p:1;n:2147483647;d:64", "w:1e+15;p:1e-300;n:1;d:1", "w:1e15;p:1;n:2147483647;d:64",
		"w:12.5;p:0.08;n:25;d:2;b:7;e:6.4", "w:12.5;p:0.08;n:25;d:2;b:7;e:8.1", "w:12.5;p:0.08;n:25;d:2;b:1;e:1e-300",
		"w:1;p:1;n:1;d:1;b:2147483647;e:2147483647", "w:1;p:1;n:1;d:1;b:0;e:0", "w:1;p:1;n:1;d:1;b:1", "w:1;p:1;n:1;d:1;e:1",
	} {
		f.Add(member)
	}
	f.Fuzz(func(t *testing.T, member string) {
		state, err := trace.ParseTraceState("a=1,waybill=" + member + ",z=2")
		if err != nil || state.Get("waybill") != member { // With a comma it is several members.
			return
		}
		got := fanout.FromTraceState(state)
		if got != (fanout.Fanout{}) && !within(got) {
			t.Fatalf("%q gave %+v", member, got)
		}
		if want, known := readPlainly(member); known && got != want {
			t.Fatalf("%q gave %+v; want %+v", member, got, want)
		}
		if got == (fanout.Fanout{}) {
			return
		}
		again := got.AddTo(state)
		if back := fanout.FromTraceState(again); back != got {
			t.Fatalf("%q gave %+v, and that %+v", member, got, back)
		}
		if rest := others(again); !slices.Equal(rest, []string{"a=1", "z=2"}) {
			t.Fatalf("%q left %v", member, rest)
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Add(1000.0/3, 0.003, 1000, 1, 0, 0.0, 0, 0)
	f.Add(1.0, 1.0, 1, 1, 7, 6.4, 31, 0)
	f.Add(1e15, 5e-324, math.MaxInt32, 64, math.MaxInt32, float64(math.MaxInt32), 32, 0)
	f.Add(math.NaN(), 0.5, 1, 1, 0, 0.0, 2, 0)
	f.Add(1e300, 0.5, 1, 1, 0, 0.0, 2, 0)
	f.Add(2.0, math.Inf(1), -1, 65, -1, math.NaN(), 2, 0)
	f.Add(2.0, 0.5, 1, 1, 1, 0.01, 32, 200)
	f.Add(2.0, 0.5, 1, 1, 1, 5.0, 10, 120)
	f.Fuzz(func(t *testing.T, weight, probability float64, size, depth, budget int, mean float64, count, length int) {
		fan := fanout.Fanout{
			Weight: weight, Probability: probability, Size: size, Depth: depth, Budget: budget, MeanBudget: mean,
		}
		count, length = int(uint(count)%33), int(uint(length)%256)
		text := members(count)
		if length > 10 && count > 0 { // One long member among them.
			list := strings.Split(text, ",")
			list[length%count] = long("long", length)
			text = strings.Join(list, ",")
		}
		before := parse(t, text)
		after := fan.AddTo(before)
		if !within(fan) {
			if after.String() != before.String() {
				t.Fatalf("%+v was put: %v", fan, after)
			}
			return
		}
		if got := fanout.FromTraceState(after); got != fan {
			t.Fatalf("%+v came back as %+v", fan, got)
		}
		ours := len("waybill=" + after.Get("waybill"))
		if ours > 128 {
			t.Fatalf("our member has %d characters", ours)
		}
		if want := strings.Join(plainlyShortened(others(before), ours), ","); strings.Join(others(after), ",") != want {
			t.Fatalf("of %s the others are %s; want %s", text, others(after), want)
		}
	})
}

// plainlyShortened is what is left of list behind a member of that many
// characters in front.
func plainlyShortened(list []string, front int) []string {
	length := func() int { return len(strings.Join(list, ",")) }
	limit := max(512, length())
	list = list[:min(len(list), 31)]
	for length() > 0 && front+1+length() > limit {
		remove := len(list) - 1
		for i, m := range list {
			if len(m) > 128 {
				remove = i
			}
		}
		list = slices.Delete(list, remove, remove+1)
	}
	return list
}
