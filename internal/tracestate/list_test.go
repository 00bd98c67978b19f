// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package tracestate_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/tracestate"
)

var (
	sinkList  tracestate.List
	sinkState trace.TraceState
	sinkText  string
	sinkBytes []byte
)

func TestAllocations(t *testing.T) {
	oneLine := []string{"vendor=t61rcWkgMzE,ot=th:8"}
	mixed := []string{"vendor=t61rcWkgMzE,foo@=1"}
	for range 3 { // The second time it is kept.
		sinkList = read(t, oneLine...)
		sinkList = read(t, mixed...)
	}
	list := sinkList
	beside := list.Beside(traceID)
	var lines [][]string // Made before, because package fmt allocates more under the race detector.
	for range 200 {
		lines = append(lines, []string{fmt.Sprintf("ot=%020d", rand.Uint64())})
	}
	for _, tt := range []struct {
		name string
		want float64
		f    func()
	}{
		{"nothing", 0, func() { sinkList, _ = tracestate.Read(nil) }},
		{"an empty line", 0, func() { sinkList, _ = tracestate.Read([]string{""}) }},
		{"the same again", 0, func() { sinkList, _ = tracestate.Read(oneLine) }},
		{"the same again, with members beside", 0, func() { sinkList, _ = tracestate.Read(mixed) }},
		{"never the same", 1, func() {
			sinkList, _ = tracestate.Read(lines[0])
			lines = lines[1:]
		}},
		{"append", 1, func() { sinkBytes, _ = tracestate.Append(nil, list.State, beside) }},
		{"encode", 1, func() { sinkText, _ = tracestate.Encode(list.State, beside) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			assert.InDelta(t, tt.want, testing.AllocsPerRun(100, tt.f), 0.5)
		})
	}
}

// However many lines come, no more than one a slot is kept: with none of them
// kept, each is read again.
func TestMemoryIsBounded(t *testing.T) {
	const lines = 4096
	line := func(i int) []string { return []string{fmt.Sprintf("k=%d,b=1", i)} }
	for i := range lines {
		for range 3 {
			read(t, line(i)...)
		}
	}
	assert.LessOrEqual(t, tracestate.Remembered(), tracestate.Slots)
	assert.Greater(t, tracestate.Remembered(), tracestate.Slots/2, "otherwise this test shows nothing")
	assert.LessOrEqual(t, tracestate.LongestRemembered(), 512)
	for range 5 {
		read(t, "a="+strings.Repeat("1", 256)+",b="+strings.Repeat("1", 256))
	}
	assert.LessOrEqual(t, tracestate.LongestRemembered(), 512, "a line that is too long")
}

// A line that comes once takes nobody's place.
func TestMemoryKeepsWhatComesAgain(t *testing.T) {
	usual := []string{"usual=1,b=2"}
	for range 3 {
		read(t, usual...)
	}
	for i := range 4096 {
		read(t, fmt.Sprintf("once=%d", i))
	}
	assert.True(t, tracestate.Remembers(usual[0]))
	assert.False(t, tracestate.Remembers("once=4095"))
}

// Many readers of lines that take each other's places find each what it reads,
// and cannot change what the others find.
func TestReadersShareTheMemory(t *testing.T) {
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				line := fmt.Sprintf("k=%d,foo@=%d", (i+worker)%300, i%3)
				list, ok := tracestate.Read([]string{line})
				assert.True(t, ok)
				state, err := list.State.Insert("mine", "1")
				assert.NoError(t, err)
				assert.Equal(t, 2, state.Len())
				list.State.Delete("k")
				assert.Equal(t, line, encode(list))
			}
		})
	}
	wg.Wait()
}

func BenchmarkRead(b *testing.B) {
	never := make([][]string, 10_000)
	for i := range never {
		never[i] = []string{fmt.Sprintf("dd=s:1;p:%016x,ot=th:8", i)}
	}
	for _, in := range []struct {
		name  string
		lines [][]string
	}{
		{"same", [][]string{{"dd=s:1;p:00f067aa0ba902b7,ot=th:8"}}},
		{"never-the-same", never},
		{"beside", [][]string{{"foo@=1,ot=th:8"}}},
	} {
		b.Run(in.name+"/otel", func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				sinkState, _ = trace.ParseTraceState(in.lines[i%len(in.lines)][0])
			}
		})
		b.Run(in.name+"/waybill", func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				sinkList, _ = tracestate.Read(in.lines[i%len(in.lines)])
			}
			if sinkList.State.Len() == 0 {
				b.Fatal("nothing was read")
			}
		})
	}
}
