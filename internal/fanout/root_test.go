// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/internal/threshold"
)

const allRandomness = uint64(1) << 56

// parentOf returns the context of a sampled span with that tracestate, and a trace
// ID with that randomness.
func parentOf(t testing.TB, random uint64, state string) trace.SpanContext {
	t.Helper()
	id := trace.TraceID{0: 1}
	binary.BigEndian.PutUint64(id[8:], random|0xa5<<56)
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: id, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled, TraceState: parse(t, state),
	})
}

// stated reads a threshold and a randomness out of a member, plainly.
func stated(t testing.TB, member string) (threshold, random uint64) {
	t.Helper()
	th, rv, _ := strings.Cut(strings.TrimPrefix(member, "th:"), ";rv:")
	if len(rv) != 14 || th != "0" && strings.HasSuffix(th, "0") {
		t.Fatalf("not a threshold without trailing zeros and a randomness: %s", member)
	}
	threshold, err := strconv.ParseUint((th + "00000000000000")[:14], 16, 64)
	random, err2 := strconv.ParseUint(rv, 16, 64)
	if err != nil || err2 != nil {
		t.Fatalf("%s: %v, %v", member, err, err2)
	}
	return threshold, random
}

func TestRootMultipliesTheProbability(t *testing.T) {
	tenth := fanout.Fanout{}.Below(10, 100)
	const ours = "waybill=w:10;p:0.1;n:100;d:1"
	half := fanout.Fanout{}.Below(2, 100)
	all := fanout.Fanout{}.Below(1, 9)

	root := half.Root(parentOf(t, 0xc0000000000000, "a=1,ot=th:8"))
	assert.Equal(t, "waybill=w:2;p:0.5;n:100;d:1,ot=th:c;rv:e0000000000000", root.String(),
		"half of a half, and half way between that and the end")
	root = half.Root(parentOf(t, 7, "a=1,ot=x:y;rv:80000000000000;th:0"))
	assert.Equal(t, "waybill=w:2;p:0.5;n:100;d:1,ot=th:8;rv:c0000000000000", root.String(),
		"its own randomness and not the trace ID's; nothing else of the other trace")
	root = all.Root(parentOf(t, 0xc0000000000001, "ot=th:8"))
	assert.Equal(t, "waybill=w:1;p:1;n:9;d:1,ot=th:8;rv:c0000000000001", root.String(), "a new trace ID has another randomness")

	root = all.Root(parentOf(t, 0x0c000000000001, "ot=th:0"))
	assert.Equal(t, "waybill=w:1;p:1;n:9;d:1,ot=th:0;rv:0c000000000001", root.String())

	for name, test := range map[string]struct{ parent, ot string }{
		"states none":             {"a=1", ""},
		"randomness alone":        {"ot=rv:0123456789abcd", ",ot=rv:0123456789abcd"},
		"malformed":               {"ot=th:xyz;rv:0123456789abcd", ",ot=rv:0123456789abcd"},
		"twice":                   {"ot=th:0;th:0", ""},
		"not why it was sampled":  {"ot=th:8;rv:0123456789abcd", ",ot=rv:0123456789abcd"}, // The specification: erase it.
		"nor was its trace ID":    {"ot=th:8", ""},
		"malformed randomness":    {"ot=rv:0123456789ABCD", ""},
		"randomness of 15 digits": {"ot=rv:0123456789abcde", ""},
	} {
		assert.Equal(t, ours+test.ot, tenth.Root(parentOf(t, 5, test.parent)).String(), name)
	}
	p, _ := threshold.Probability(tenth.Root(parentOf(t, 5, "ot=th:0")))
	assert.InEpsilon(t, 0.1, p, 1e-15)
	assert.Empty(t, fanout.Fanout{}.Root(parentOf(t, 5, "ot=th:0")).String(), "no fan-out")
	assert.Equal(t, tenth, fanout.FromTraceState(tenth.Root(parentOf(t, 5, "ot=th:0"))))
}

// TestRootIsConsistent: whatever the parent states, the root is one that a sampler
// with the stated threshold would have sampled.
func TestRootIsConsistent(t *testing.T) {
	random := stattest.Seeded(t)
	for range 10_000 {
		threshold := random.Uint64N(allRandomness) >> random.IntN(57) << random.IntN(57) % allRandomness
		r := threshold + random.Uint64N(allRandomness-threshold)
		probability := math.Pow(random.Float64(), 12)
		if random.IntN(4) == 0 {
			probability = 1
		}
		probability = max(probability, 1e-15)
		f := fanout.Fanout{Weight: 1 / probability, Probability: probability, Size: 1, Depth: 1}
		root := f.Root(parentOf(t, r, fmt.Sprintf("ot=th:%014x", threshold)))
		gotThreshold, gotRandom := stated(t, root.Get("ot"))
		require.GreaterOrEqual(t, gotRandom, gotThreshold)
		require.Less(t, gotRandom, allRandomness)
		require.GreaterOrEqual(t, gotThreshold, threshold)
		// Whole values: the difference is one half, and what a float64 cannot hold.
		exact := float64(allRandomness-threshold) * probability
		require.InDelta(t, max(exact, 1), float64(allRandomness-gotThreshold), 0.5+exact*0x1p-52)
	}
}

// keptLater is the share of parents and the share of roots that a sampler keeps
// which, later, keeps one in four of what comes to it, and in how many cases it
// does not treat both alike. root makes a root out of a parent.
func keptLater(t *testing.T, root func(parent trace.SpanContext) trace.TraceState) (parents, roots, torn float64) {
	t.Helper()
	const trials, threshold = 8000, allRandomness / 2
	random := stattest.Fixed(11)
	keep := func(threshold, r uint64) bool { return r >= allRandomness-(allRandomness-threshold)/4 }
	for range trials {
		r := threshold + random.Uint64N(allRandomness-threshold)
		state := root(parentOf(t, r, "ot=th:8"))
		rootThreshold, rootRandom := stated(t, state.Get("ot"))
		p, q := keep(threshold, r), keep(rootThreshold, rootRandom)
		if p {
			parents++
		}
		if q {
			roots++
		}
		if p != q {
			torn++
		}
	}
	return parents / trials, roots / trials, torn / trials
}

func TestRootsAreSampledLaterWithTheirParent(t *testing.T) {
	f := fanout.Fanout{}.Below(1000.0/3, 1000)
	const quarter = stattest.Tolerance * 0.0048 // that many deviations of such a share of 8,000
	parents, roots, torn := keptLater(t, f.Root)
	assert.InDelta(t, 0.25, parents, quarter)
	assert.InDelta(t, 0.25, roots, quarter)
	assert.Zero(t, torn)

	// Negative controls. The parent's randomness as it is: almost no root agrees
	// with its own threshold, so that a sampler takes few of them.
	_, roots, _ = keptLater(t, func(parent trace.SpanContext) trace.TraceState {
		threshold, _ := stated(t, f.Root(parent).Get("ot"))
		id := parent.TraceID()
		own := binary.BigEndian.Uint64(id[8:]) % allRandomness
		return parse(t, "ot=th:"+shortHex(threshold)+fmt.Sprintf(";rv:%014x", own))
	})
	assert.Less(t, roots, 0.01)
	// A new one for each root: right in number, but torn apart.
	random := stattest.Fixed(12)
	_, roots, torn = keptLater(t, func(parent trace.SpanContext) trace.TraceState {
		threshold, _ := stated(t, f.Root(parent).Get("ot"))
		own := threshold + random.Uint64N(allRandomness-threshold)
		return parse(t, "ot=th:"+shortHex(threshold)+fmt.Sprintf(";rv:%014x", own))
	})
	assert.InDelta(t, 0.25, roots, quarter)
	assert.Greater(t, torn, 0.3)
}

func shortHex(threshold uint64) string {
	digits := strings.TrimRight(fmt.Sprintf("%014x", threshold), "0")
	if digits == "" {
		return "0"
	}
	return digits
}

// TestRootRandomnessIsUniform: above its threshold.
func TestRootRandomnessIsUniform(t *testing.T) {
	f := fanout.Fanout{}.Below(1000.0/7, 1000)
	random := rand.New(rand.NewPCG(1, 2))
	const buckets = 50
	require.NoError(t, stattest.CheckUniform(buckets, buckets, 10_000, func() []int {
		const threshold = 0x30000000000000
		r := threshold + random.Uint64N(allRandomness-threshold)
		th, rv := stated(t, f.Root(parentOf(t, r, "ot=th:3")).Get("ot"))
		return []int{int(float64(rv-th) / float64(allRandomness-th) * buckets)}
	}))
}

func FuzzRoot(f *testing.F) {
	f.Add("th:8;rv:c0000000000000", uint64(0), 0.1)
	f.Add("th:8", uint64(0xc0000000000000), 1.0)
	f.Add("rv:6e6d1a75832a2f", uint64(1), 0.5)
	f.Add("th:ffffffffffffff", uint64(0xffffffffffffff), 1e-300)
	f.Add("th:0;x:y", uint64(7), math.NaN())
	f.Fuzz(func(t *testing.T, member string, random uint64, probability float64) {
		if state, err := trace.ParseTraceState("ot=" + member); err != nil || state.Get("ot") != member {
			return
		}
		fan := fanout.Fanout{Weight: 5, Probability: probability, Size: 1, Depth: 1}
		root := fan.Root(parentOf(t, random%allRandomness, "ot="+member))
		ot := root.Get("ot")
		if !strings.Contains(ot, "th:") {
			if ot != "" && len(ot) != len("rv:")+14 {
				t.Fatalf("%q gave %q", member, ot)
			}
			return
		}
		before, ok := threshold.Probability(parse(t, "ot="+member))
		after, _ := threshold.Probability(root)
		threshold, r := stated(t, ot)
		if !ok || after > before || r < threshold || r >= allRandomness {
			t.Fatalf("%q gave %q", member, ot)
		}
		if want := max(before*probability, 0x1p-56); math.Abs(after-want) > 0x1p-56+want*1e-15 {
			t.Fatalf("%q gave %v; want %v", member, after, want)
		}
	})
}
