// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/sampling"
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

func TestPutKeepsTheOtherMembers(t *testing.T) {
	f := sampling.Fanout{Weight: 1000, Probability: 0.001, Size: 10_000, Depth: 1}
	const ours = "waybill=w:1000;p:0.001;n:10000;d:1"
	for before, after := range map[string]string{
		"":                                       ours,
		"z=1":                                    ours + ",z=1",
		"z=1,ot=th:8;rv:abc,a@b=x y":             ours + ",z=1,ot=th:8;rv:abc,a@b=x y",
		"waybill=w:2;p:0.5;n:2;d:1,z=1":          ours + ",z=1",
		"z=1,waybill=w:2;p:0.5;n:2;d:1,a=2":      ours + ",z=1,a=2",
		"z=1,a=2,waybill=rubbish":                ours + ",z=1,a=2",
		members(31):                              ours + "," + members(31),
		members(32):                              ours + "," + members(31), // The last gives way.
		members(31) + ",waybill=w:2;p:1;n:2;d:1": ours + "," + members(31), // There is room: it was ours.
	} {
		state := parse(t, before)
		assert.Equal(t, after, f.Put(state).String())
		assert.Equal(t, before, state.String(), "the one it came from never changes")
		assert.Equal(t, f, sampling.FanoutFrom(f.Put(state)))
	}
}

func TestFanoutFromReads(t *testing.T) {
	want := sampling.Fanout{Weight: 12.5, Probability: 0.08, Size: 25, Depth: 2}
	for _, member := range []string{
		"w:12.5;p:0.08;n:25;d:2",
		"d:2;n:25;p:0.08;w:12.5",
		"w:12.5;p:0.08;n:25;d:2;b:17",     // Of a later version.
		"w:12.5;p:0.08;n:25;new;d:2;x::1", // Stranger, and still no concern of ours.
		"w:1.25e1;p:8e-2;n:25;d:2",
	} {
		assert.Equal(t, want, sampling.FanoutFrom(parse(t, "a=1,waybill="+member+",z=2")), member)
	}
}

func TestFanoutFromIgnoresTheAbsurd(t *testing.T) {
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
		";", ":", "w", "rubbish", "w:12.5 ;p:0.08;n:25;d:2", "W:12.5;P:0.08;N:25;D:2",
	}
	for _, member := range texts {
		state, err := trace.ParseTraceState("waybill=" + member)
		if err != nil {
			continue // Not even a tracestate.
		}
		assert.Equal(t, sampling.Fanout{}, sampling.FanoutFrom(state), member)
	}
	assert.NotEqual(t, sampling.Fanout{}, sampling.FanoutFrom(parse(t, "waybill="+good)), "they differ from a good one in one thing each")
	assert.Equal(t, sampling.Fanout{}, sampling.FanoutFrom(trace.TraceState{}))
	assert.Equal(t, sampling.Fanout{}, sampling.FanoutFrom(parse(t, "waybil="+good+",waybill2="+good)))
}

// TestAbsurdWeightsDoNotMultiply: what was ignored counts as one.
func TestAbsurdWeightsDoNotMultiply(t *testing.T) {
	p := exactly(10).Plan(1000, fixed(1))
	f := sampling.FanoutFrom(parse(t, "waybill=w:1e300;p:0.1;n:10;d:1")).Recipient(p)
	assert.Equal(t, sampling.Fanout{Weight: 100, Probability: 0.01, Size: 1000, Depth: 1}, f)
}
