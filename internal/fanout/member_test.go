// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
)

func parse(t testing.TB, text string) trace.TraceState {
	t.Helper()
	state, err := trace.ParseTraceState(text)
	require.NoError(t, err)
	return state
}

// others returns the members that are not ours, in order.
func others(state trace.TraceState) []string {
	var list []string
	state.Walk(func(key, value string) bool {
		if key != "waybill" {
			list = append(list, key+"="+value)
		}
		return true
	})
	return list
}

func members(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("k%d=%d", i, i)
	}
	return strings.Join(list, ",")
}

func TestAddToKeepsTheOtherMembers(t *testing.T) {
	f := fanout.Fanout{Weight: 1000, Probability: 0.001, Size: 10_000, Depth: 1}
	const ours = "waybill=w:1000;p:0.001;n:10000;d:1"
	for before, after := range map[string]string{
		"":                                       ours,
		"z=1":                                    ours + ",z=1",
		"z=1,ot=th:8;rv:abc,a@b=x y":             ours + ",ot=rv:abc,z=1,a@b=x y", // It was changed.
		"z=1,ot=rv:abc,a@b=x y":                  ours + ",z=1,ot=rv:abc,a@b=x y",
		"z=1,ot=th:0,a=2":                        ours + ",z=1,a=2",
		"waybill=w:2;p:0.5;n:2;d:1,z=1":          ours + ",z=1",
		"z=1,waybill=w:2;p:0.5;n:2;d:1,a=2":      ours + ",z=1,a=2",
		"z=1,a=2,waybill=rubbish":                ours + ",z=1,a=2",
		members(31):                              ours + "," + members(31),
		members(32):                              ours + "," + members(31), // The last gives way.
		members(31) + ",waybill=w:2;p:1;n:2;d:1": ours + "," + members(31), // There is room: it was ours.
		members(31) + ",ot=th:8":                 ours + "," + members(31), // There is room: nothing is left of it.
		members(31) + ",ot=th:8;rv:abc":          ours + ",ot=rv:abc," + members(30),
		members(31) + ",ot=rv:abc":               ours + "," + members(31),
	} {
		state := parse(t, before)
		assert.Equal(t, after, f.AddTo(state).String())
		assert.Equal(t, before, state.String(), "the one it came from never changes")
		assert.Equal(t, f, fanout.FromTraceState(f.AddTo(state)))
	}
}

func TestFromTraceStateReads(t *testing.T) {
	want := fanout.Fanout{Weight: 12.5, Probability: 0.08, Size: 25, Depth: 2}
	for _, member := range []string{
		"w:12.5;p:0.08;n:25;d:2",
		"d:2;n:25;p:0.08;w:12.5",
		"w:12.5;p:0.08;n:25;d:2;c:17",     // Of a later version.
		"w:12.5;p:0.08;n:25;new;d:2;x::1", // Stranger, and still no concern of ours.
	} {
		assert.Equal(t, want, fanout.FromTraceState(parse(t, "a=1,waybill="+member+",z=2")), member)
	}
	want.Budget, want.MeanBudget = 17, 17.25
	for _, member := range []string{"w:12.5;p:0.08;n:25;d:2;b:17;e:17.25", "e:17.25;w:12.5;p:0.08;n:25;b:17;d:2;c:17"} {
		assert.Equal(t, want, fanout.FromTraceState(parse(t, "waybill="+member)), member)
	}
}

func TestFromTraceStateIgnoresTheAbsurd(t *testing.T) {
	const good = "w:12.5;p:0.08;n:25;d:2"
	texts := []string{
		"w:NaN;p:0.08;n:25;d:2", "w:Inf;p:0.08;n:25;d:2", "w:+Inf;p:0.08;n:25;d:2", "w:-12.5;p:0.08;n:25;d:2",
		"w:1e300;p:0.08;n:25;d:2", "w:1e400;p:0.08;n:25;d:2", "w:1.0000001e15;p:0.08;n:25;d:2",
		"w:0.99;p:0.08;n:25;d:2", "w:0;p:0.08;n:25;d:2", "w:;p:0.08;n:25;d:2", "w;p:0.08;n:25;d:2", "w:12,5",
		"w:12.5;p:NaN;n:25;d:2", "w:12.5;p:0;n:25;d:2", "w:12.5;p:1.1;n:25;d:2", "w:12.5;p:-0.08;n:25;d:2", "w:12.5;p:1e-400;n:25;d:2",
		"w:12.5;p:0.08;n:0;d:2", "w:12.5;p:0.08;n:-25;d:2", "w:12.5;p:0.08;n:2147483648;d:2", "w:12.5;p:0.08;n:2.5;d:2",
		"w:12.5;p:0.08;n:99999999999999999999;d:2",
		"w:12.5;p:0.08;n:25;d:0", "w:12.5;p:0.08;n:25;d:65", "w:12.5;p:0.08;n:25;d:-1", "w:12.5;p:0.08;n:25;d:9223372036854775807",
		"p:0.08;n:25;d:2", "w:12.5;n:25;d:2", "w:12.5;p:0.08;d:2", "w:12.5;p:0.08;n:25",
		good + ";b:17", good + ";e:17", good + ";b:0;e:0.5", good + ";b:17;e:0", good + ";b:-1;e:-1", good + ";b:17;e:NaN",
		good + ";b:17;e:18.1", good + ";b:17;e:15.9", good + ";b:1.5;e:1.5", good + ";b:2147483648;e:2147483648",
		good + ";b:2147483647;e:2147483647.5", good + ";b:1;e:-0", good + ";b:1;e:Inf", good + ";b;e", good + ";b:;e:",
		// Numbers in forms that strconv takes and our writer does not have.
		"w:0x1p4;p:0.0625;n:16;d:1", "w:1_0;p:0.1;n:10;d:1", "w:+10;p:0.1;n:10;d:1", "w:10;p:.1;n:10;d:1",
		"w:10;p:0.1;n:+10;d:1", "w:10;p:0.1;n:10;d:+1", "w:010;p:0.1;n:10;d:1", "w:10;p:0.1;n:010;d:1", "w:10.;p:0.1;n:10;d:1",
		"w:12.5;p:0.08;n:25;d:2;b:+17;e:17.25", "w:12.5;p:0.08;n:25;d:2;b:17;e:0x1p4",
		"w:12.50;p:0.08;n:25;d:2", "w:1.25e1;p:0.08;n:25;d:2", "w:12.5;p:8e-2;n:25;d:2", "w:12.5;p:0.080;n:25;d:2",
		"w:10.0;p:0.1;n:10;d:1", "w:1e1;p:0.1;n:10;d:1", "w:1000000;p:1e-06;n:10;d:1", "w:1e6;p:1e-06;n:10;d:1",
		"w:10;p:0.10000000000000001;n:10;d:1", "w:10;p:0.1;n:10;d:1e0", "w:10;p:0.1;n:1e1;d:1", good + ";b:17;e:1.7e1", good + ";b:17;e:17.0",
		// Weights that the probability and the depth do not make.
		"w:1e+06;p:0.5;n:2;d:1", "w:2;p:0.001;n:10;d:1", "w:10;p:0.09999;n:10;d:1", "w:10;p:0.10001;n:10;d:1", "w:2;p:1;n:2;d:1",
		"w:1e+15;p:1;n:1;d:1", "w:12.5;p:0.0799;n:25;d:2", "w:1;p:0.5;n:2;d:64",
		// Fields without a name, more of them than there may be, and more characters.
		good + ";", ";" + good, good + ";:", good + strings.Repeat(";x", 3), good + ";a;b2;c;d2;e2;f;g;h;i;j;k;l;m",
		good + ";x:" + strings.Repeat("y", 128-len("waybill="+good+";x:")+1),
		// Fields twice, whether they agree or not.
		good + ";w:12.5", good + ";p:0.5", good + ";n:25", good + ";d:3", good + ";b:17;e:17.25;b:17", good + ";b:17;e:17.25;e:17.5",
		good + ";x:1;x:2", good + ";new;x:1;new",
		";", ":", "w", "rubbish", "w:12.5 ;p:0.08;n:25;d:2", "W:12.5;P:0.08;N:25;D:2",
	}
	for _, member := range texts {
		state, err := trace.ParseTraceState("waybill=" + member)
		if err != nil {
			continue // Not even a tracestate.
		}
		before := fanout.Ignored()
		assert.Equal(t, fanout.Fanout{}, fanout.FromTraceState(state), member)
		assert.Equal(t, before+1, fanout.Ignored(), "it is counted")
	}
	before := fanout.Ignored()
	for _, member := range []string{
		good, good + ";b:17;e:17.25", "w:1e+06;p:1e-06;n:10;d:1", "w:10;p:0.1;n:10;d:1", "w:10;p:0.1;n:10;d:1;x:1;y:1",
		"w:1e+15;p:1;n:1;d:2", "w:1e+15;p:1e-300;n:1;d:1", good + ";a;b2;c;d2;e2;f;g;h;i;j;k;l",
		good + ";x:" + strings.Repeat("y", 128-len("waybill="+good+";x:")),
	} {
		assert.NotEqual(t, fanout.Fanout{}, fanout.FromTraceState(parse(t, "waybill="+member)), "%s: the others differ in one thing each", member)
	}
	assert.Equal(t, fanout.Fanout{}, fanout.FromTraceState(trace.TraceState{}))
	assert.Equal(t, fanout.Fanout{}, fanout.FromTraceState(parse(t, "waybil="+good+",waybill2="+good)))
	assert.Equal(t, before, fanout.Ignored(), "absent is not absurd")
}

// TestAbsurdWeightsDoNotMultiply: what was ignored counts as one.
func TestAbsurdWeightsDoNotMultiply(t *testing.T) {
	f := fanout.FromTraceState(parse(t, "waybill=w:1e300;p:0.1;n:10;d:1")).Below(100, 1000)
	assert.Equal(t, fanout.Fanout{Weight: 100, Probability: 0.01, Size: 1000, Depth: 1}, f)
}

// long returns a member of exactly that many characters.
func long(key string, length int) string {
	return key + "=" + strings.Repeat("x", length-len(key)-1)
}

// TestAddToKeepsWithinTheLength: 512 characters, as the W3C counts them.
func TestAddToKeepsWithinTheLength(t *testing.T) {
	f := fanout.Fanout{Weight: 1000, Probability: 0.001, Size: 10_000, Depth: 1}
	const ours = "waybill=w:1000;p:0.001;n:10000;d:1" // 34
	join := func(list ...string) string { return strings.Join(list, ",") }
	for name, test := range map[string]struct{ before, after string }{
		"just fits":           {join(long("a", 128), long("b", 128), long("c", 128), long("d", 90)), "abcd"},
		"the last gives way":  {join(long("a", 128), long("b", 128), long("c", 128), long("d", 91)), "abc"},
		"long ones first":     {join(long("a", 120), long("b", 129), long("c", 120), long("d", 120)), "acd"},
		"the last long one":   {join(long("a", 129), long("b", 100), long("c", 150), long("d", 100)), "abd"},
		"two long ones":       {join(long("a", 250), long("b", 20), long("c", 236), "d=1"), "abd"},
		"was too long":        {join(long("a", 120), long("b", 120), long("c", 120), long("d", 120), long("e", 120)), "abcd"},
		"no more than it was": {join(long("a", 128), long("b", 129), long("c", 128), long("d", 128), long("e", 128)), "acde"},
		"far too long":        {join(long("a", 255), long("b", 255), long("c", 255), "d=1", "e="+strings.Repeat("x", 50)), "abde"},
		"ours was there":      {join(long("a", 128), long("b", 128), ours+";c:1", long("c", 128), long("d", 86)), "abcd"},
	} {
		t.Run(name, func(t *testing.T) {
			state := parse(t, test.before)
			after := f.AddTo(state)
			require.Equal(t, f, fanout.FromTraceState(after), "ours stays")
			assert.LessOrEqual(t, len(after.String()), max(512, len(test.before)))
			keys := ""
			for _, m := range others(after) {
				keys += m[:1]
				assert.Contains(t, test.before, m, "unchanged")
			}
			assert.Equal(t, test.after, keys)
		})
	}
}

// TestMemberIsShort: so that it is not among those that others remove first.
func TestMemberIsShort(t *testing.T) {
	f := fanout.Fanout{
		Weight: 1e15 / 3, Probability: 1.0000000000000002e-10, Size: math.MaxInt32, Depth: 64,
		Budget: 1, MeanBudget: 2.2250738585072014e-308,
	}
	state := f.AddTo(trace.TraceState{})
	require.Equal(t, f, fanout.FromTraceState(state))
	assert.LessOrEqual(t, len(state.String()), 128)
}

func TestAddToErasesTheThreshold(t *testing.T) {
	state := parse(t, "a=1,ot=th:8;rv:6e6d1a75832a2f,b=2")
	all := fanout.Fanout{}.Below(1, 10)
	assert.Equal(t, "waybill=w:1;p:1;n:10;d:1,a=1,ot=th:8;rv:6e6d1a75832a2f,b=2", all.AddTo(state).String(),
		"where all are chosen it still holds")
	some := fanout.Fanout{}.Below(2, 10)
	assert.Equal(t, "waybill=w:2;p:0.5;n:10;d:1,ot=rv:6e6d1a75832a2f,a=1,b=2", some.AddTo(state).String())
}
