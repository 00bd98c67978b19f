// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package threshold_test

import (
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/internal/threshold"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func parse(t testing.TB, text string) trace.TraceState {
	t.Helper()
	state, err := trace.ParseTraceState(text)
	require.NoError(t, err)
	return state
}

func TestClear(t *testing.T) {
	const random = "rv:6e6d1a75832a2f"
	for before, after := range map[string]string{
		"":                             "",
		"a=1,b=2":                      "a=1,b=2",
		"a=1,ot=" + random + ",b=2":    "a=1,ot=" + random + ",b=2", // Nothing to take out, nothing changes.
		"a=1,ot=th:8,b=2":              "a=1,b=2",
		"ot=th:8":                      "",
		"a=1,ot=th:8;" + random:        "ot=" + random + ",a=1",
		"a=1,ot=" + random + ";th:8":   "ot=" + random + ",a=1",
		"ot=p:8;th:fd70a4;r:62;k1:1.3": "ot=p:8;r:62;k1:1.3",
		"a=1,ot=th:8;th:4":             "a=1",
		"a=1,ot=th:":                   "a=1",
		"a=1,ot=th":                    "a=1",
		"a=1,ot=th:rubbish;x":          "ot=x,a=1",
		"a=1,ot=th:8;":                 "a=1",
		"a=1,ot=;th:8;":                "a=1",
		"a=1,ot= th:8":                 "a=1",
		"a=1,ot=x ;th:8":               "ot=x,a=1", // A value has no blank at its end.
		"a=1,ot=tha:8;oth:8;t:th":      "a=1,ot=tha:8;oth:8;t:th",
		"a=1,ot=x:th:8":                "a=1,ot=x:th:8",
		"a=1,t@ot=th:8":                "a=1,t@ot=th:8", // Of a tenant: OpenTelemetry does not say what it means.
	} {
		assert.Equal(t, after, threshold.Clear(parse(t, before)).String(), before)
	}
}

func TestProbability(t *testing.T) {
	for member, want := range map[string]float64{
		"th:0": 1, "th:8": 0.5, "th:c": 0.25, "th:08": 31.0 / 32, "th:80000000000000": 0.5, "th:C": 0.25,
		"rv:6e6d1a75832a2f;th:4": 0.75, "x;th:e;y:1": 0.125, "th:ffffffffffffff": 1.0 / (1 << 56),
	} {
		p, ok := threshold.Probability(parse(t, "a=1,ot="+member))
		assert.True(t, ok, member)
		assert.InDelta(t, want, p, 0, member)
	}
	// The specification's example: 1 %, to its precision.
	p, _ := threshold.Probability(parse(t, "ot=th:fd70a4"))
	assert.InEpsilon(t, 0.01, p, 1e-5)
	for _, member := range []string{
		"rv:6e6d1a75832a2f", "th:", "th", "th:g", "th:-1", "th:+1", "th:0x1", "th:1_0", "th:000000000000000", "th:8;th:8", "th: 8", "TH:8",
	} {
		_, ok := threshold.Probability(parse(t, "ot="+member))
		assert.False(t, ok, member)
	}
	_, ok := threshold.Probability(trace.TraceState{})
	assert.False(t, ok)
}

// wellFormed is OpenTelemetry's member as the specification's grammar has it.
var wellFormed = regexp.MustCompile(`^[a-z][a-z0-9]*:[A-Za-z0-9._-]*(;[a-z][a-z0-9]*:[A-Za-z0-9._-]*)*$`)

var hexDigits = regexp.MustCompile(`^[0-9a-fA-F]{1,14}$`)

// plainThreshold is an oracle for well-formed members.
func plainThreshold(member string) (probability float64, ok bool) {
	for field := range strings.SplitSeq(member, ";") {
		digits, found := strings.CutPrefix(field, "th:")
		if !found {
			continue
		}
		if ok || !hexDigits.MatchString(digits) {
			return 0, false
		}
		n, _ := new(big.Int).SetString(digits+strings.Repeat("0", 14-len(digits)), 16)
		one := new(big.Int).Lsh(big.NewInt(1), 56)
		probability, _ = new(big.Rat).SetFrac(n.Sub(one, n), one).Float64()
		ok = true
	}
	return probability, ok
}

func FuzzThreshold(f *testing.F) {
	for _, member := range []string{
		"th:8", "th:fd70a4;rv:6e6d1a75832a2f", "rv:6e6d1a75832a2f;th:0", "th:8;th:8", "th:;th:0", "th:", "th", ";", "th:8;", " th:8", "x ;th:8",
		"p:8;r:62;th:C;k1:13", "th:123456789abcdef", "thx:8", "x:th:8", "th:ffffffffffffff", "rv:00000000000000",
	} {
		f.Add(member)
	}
	f.Fuzz(func(t *testing.T, member string) {
		state, err := trace.ParseTraceState("a=1,ot=" + member + ",z=2")
		if err != nil || state.Get("ot") != member {
			return
		}
		p, ok := threshold.Probability(state)
		if ok && !(p > 0 && p <= 1) {
			t.Fatalf("%q gave %v", member, p)
		}
		if want, stated := plainThreshold(member); wellFormed.MatchString(member) && (ok != stated || p != want) {
			t.Fatalf("%q gave %v, %v; want %v, %v", member, p, ok, want, stated)
		}

		after := threshold.Clear(state)
		if _, ok := threshold.Probability(after); ok {
			t.Fatalf("%q left a threshold: %v", member, after)
		}
		if threshold.Clear(after).String() != after.String() {
			t.Fatalf("%q is not done at once: %v", member, after)
		}
		var want []string
		for field := range strings.SplitSeq(member, ";") {
			if !strings.HasPrefix(field, "th:") {
				want = append(want, field)
			}
		}
		if wellFormed.MatchString(member) && after.Get("ot") != strings.Join(want, ";") {
			t.Fatalf("%q left %q; want %q", member, after.Get("ot"), want)
		}
		if rest := after.Delete("ot").String(); rest != "a=1,z=2" {
			t.Fatalf("%q left %v", member, rest)
		}
	})
}
