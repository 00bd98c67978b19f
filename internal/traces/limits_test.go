// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traces_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/traces"
)

// conserved asserts that every span is accounted for, and that the store keeps to its bytes.
func conserved(t *testing.T, totals traces.Totals) {
	t.Helper()
	assert.Equal(t, totals.Seen, uint64(totals.Kept)+totals.Forgotten+totals.LeftOut+
		totals.Duplicates+totals.Invalid+totals.Dropped, "%+v", totals)
	assert.LessOrEqual(t, totals.Bytes, totals.MaxBytes, "%+v", totals)
}

// random returns a span of one of so many traces, with anything that a span may have.
func random(r *rand.Rand, traceIDs int) sdktrace.ReadOnlySpan {
	s := stub{
		trace: r.IntN(traceIDs), id: r.IntN(200), parent: r.IntN(20), name: fmt.Sprint("name ", r.IntN(1000)),
		from: time.Duration(r.IntN(1e9)), took: time.Duration(r.IntN(1e9)), remote: r.IntN(2) == 0, failed: r.IntN(20) == 0,
	}
	if r.IntN(3) == 0 {
		s.service = service(fmt.Sprint("service ", r.IntN(10)))
	}
	for range r.IntN(4) {
		s.attributes = append(s.attributes, attribute.String(fmt.Sprint("key", r.IntN(9)), strings.Repeat("x", r.IntN(1000))))
	}
	switch r.IntN(20) {
	case 0:
		s.attributes = append(s.attributes, keys.LateReason.String("slow"))
	case 1:
		s.attributes = append(s.attributes, keys.FanoutSampled.Int(r.IntN(10)), keys.FanoutSize.Int(10))
	}
	return s.span()
}

func TestBoundsHoldWhileManyAddAndRead(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	const adders = 8
	each := 20_000
	if testing.Short() {
		each = 3000
	}
	store := traces.New(traces.Config{Bytes: 1 << 20})
	var adding, reading sync.WaitGroup
	var added atomic.Bool
	for i := range adders {
		adding.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for range each {
				store.Add(random(r, 3000))
			}
		})
	}
	for i := range 2 {
		reading.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(100+i)))
			for !added.Load() {
				conserved(t, store.Totals())
				found, _ := store.Find(traces.Filter{Name: fmt.Sprint(r.IntN(10)), Failed: r.IntN(2) == 0, Limit: 10})
				for _, f := range found {
					one, ok := store.Trace(f.ID)
					if ok {
						assert.GreaterOrEqual(t, len(one.Spans)+one.LeftOut, min(f.Spans, 1))
					}
				}
				store.Broadcasts(10)
			}
		})
	}
	changes := store.Watch(t.Context())
	adding.Wait()
	added.Store(true)
	reading.Wait()
	<-changes
	totals := store.Totals()
	conserved(t, totals)
	assert.EqualValues(t, adders*each, totals.Seen)
	assert.Positive(t, totals.Forgotten)
	inTraces := 0
	found, more := store.Find(traces.Filter{Limit: totals.Traces})
	assert.False(t, more)
	assert.Len(t, found, totals.Traces)
	for _, f := range found {
		inTraces += f.Spans
	}
	assert.Equal(t, totals.Kept, inTraces)
}

// The bytes that the store counts are about those that it takes.
func TestBytesAreThoseOfTheHeap(t *testing.T) {
	if raceDetector {
		t.Skip("it allocates for itself")
	}
	const most = 16 << 20
	store := traces.New(traces.Config{Bytes: most, PerSecond: -1})
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(processor(store.Add)))
	tracer := provider.Tracer("test")
	r := rand.New(rand.NewPCG(1, 2))
	heap := func() int {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := heap()
	for range 10_000 {
		ctx, root := tracer.Start(t.Context(), "POST /")
		for range r.IntN(10) {
			_, span := tracer.Start(ctx, "work", trace.WithAttributes(
				attribute.String("text", strings.Repeat("x", r.IntN(500))),
				attribute.Int64Slice("numbers", make([]int64, r.IntN(50))),
				attribute.StringSlice("texts", []string{strings.Repeat("x", r.IntN(100))})))
			if r.IntN(5) == 0 {
				span.RecordError(fmt.Errorf("error %d", r.Int()), trace.WithStackTrace(true))
			}
			if r.IntN(5) == 0 {
				span.AddLink(trace.LinkFromContext(ctx, attribute.Int("n", r.Int())))
			}
			span.End()
		}
		root.End()
	}
	taken := heap() - before
	totals := store.Totals()
	conserved(t, totals)
	assert.Positive(t, totals.Forgotten)
	t.Logf("%d bytes taken, %d counted", taken, totals.Bytes)
	assert.InEpsilon(t, totals.Bytes, taken, 0.25)
	runtime.KeepAlive(provider)
}

func TestOneTraceLeavesRoomForOthers(t *testing.T) {
	store := traces.New(traces.Config{Bytes: 1 << 20})
	for id := range 100 {
		store.Add(stub{trace: 1000 + id, id: 1, name: "small"}.span())
	}
	const many = 100_000
	for id := range many {
		store.Add(stub{trace: 1, id: 2 + id, parent: 1, name: "large", took: time.Second}.span())
	}
	store.Add(stub{trace: 1, id: 1, name: "root", failed: true}.span())
	store.Add(stub{trace: 1, id: many + 10, parent: 1, attributes: []attribute.KeyValue{keys.LateReason.String("slow")}}.span())
	totals := store.Totals()
	conserved(t, totals)
	assert.Equal(t, 101, totals.Traces)
	assert.Zero(t, totals.Forgotten)
	found, _ := store.Find(traces.Filter{Name: "root"})
	require.Len(t, found, 1, "the root is kept, though it comes when the trace is full")
	assert.Equal(t, many+2, found[0].Spans+found[0].LeftOut)
	assert.EqualValues(t, totals.LeftOut, found[0].LeftOut)
	assert.False(t, found[0].RootMissing)
	assert.Equal(t, []string{"slow"}, found[0].Late, "also of spans that are left out")
	assert.Equal(t, time.Second, found[0].Duration)

	limited := traces.New(traces.Config{Spans: 3})
	for id := 1; id <= 10; id++ {
		limited.Add(stub{trace: 1, id: id + 1, parent: 1}.span())
	}
	one, _ := limited.Trace(traceID(1))
	assert.Len(t, one.Spans, 3)
	assert.Equal(t, 7, one.LeftOut)
}

func TestSpansThatAreTooLargeAreLeftOut(t *testing.T) {
	store := traces.New(traces.Config{Bytes: 1 << 20})
	store.Add(stub{trace: 1, id: 1, attributes: []attribute.KeyValue{attribute.String("x", strings.Repeat("x", 1<<20))}}.span())
	store.Add(stub{trace: 2, id: 1, name: strings.Repeat("x", 1<<20)}.span())
	store.Add(stub{trace: 3, id: 1, name: "root"}.span())
	found, _ := store.Find(traces.Filter{})
	require.Len(t, found, 3)
	assert.Zero(t, found[1].Spans)
	assert.Equal(t, 1, found[1].LeftOut)
	assert.True(t, found[1].RootMissing)
	assert.Empty(t, found[1].Name)
	one, ok := store.Trace(traceID(1))
	assert.True(t, ok)
	assert.Empty(t, one.Spans)
	conserved(t, store.Totals())
}

// A trace whose first spans were forgotten does not look as if it had none.
func TestATraceThatWasForgottenSaysSo(t *testing.T) {
	store := traces.New(traces.Config{Bytes: 1 << 20})
	for id := 1; id <= 5; id++ {
		store.Add(stub{trace: 1, id: id + 1, parent: 1}.span())
	}
	other := 1000
	for found := true; found; other++ {
		store.Add(stub{trace: other, id: 1}.span())
		_, found = store.Trace(traceID(1))
	}
	store.Add(stub{trace: 1, id: 7, parent: 1}.span())
	found, _ := store.Find(traces.Filter{Limit: 1})
	assert.Equal(t, traceID(1), found[0].ID)
	assert.Equal(t, 1, found[0].Spans)
	assert.Equal(t, 5, found[0].LeftOut)
	assert.True(t, found[0].RootMissing)
	store.Add(stub{trace: 1, id: 1}.span())
	found, _ = store.Find(traces.Filter{Limit: 1})
	assert.Equal(t, 2, found[0].Spans)
	assert.Equal(t, 5, found[0].LeftOut)
	assert.False(t, found[0].RootMissing)
	conserved(t, store.Totals())
}

// The store remembers most of the traces that it forgot last, whatever their IDs are.
func TestForgottenTracesAreRemembered(t *testing.T) {
	for name, id := range map[string]func(int) int{
		"in a row": func(n int) int { return n },
		"far":      func(n int) int { return n << 40 },
		"random":   func(int) int { return int(rand.Uint64() >> 2) },
	} {
		t.Run(name, func(t *testing.T) {
			store := traces.New(traces.Config{Bytes: 1 << 20})
			var ids []int
			for n := 1; store.Totals().ForgottenTraces < 300; n++ {
				ids = append(ids, id(n))
				store.Add(stub{trace: ids[n-1], id: 1}.span())
			}
			remembered := 0
			for _, id := range ids[:300] {
				store.Add(stub{trace: id, id: 2, parent: 1}.span())
				if found, ok := store.Trace(traceID(id)); ok && found.LeftOut == 1 {
					remembered++
				}
			}
			assert.Greater(t, remembered, 150)
		})
	}
}

func TestTheOldestTracesAreForgottenFirst(t *testing.T) {
	store := traces.New(traces.Config{Bytes: 1 << 20})
	for id := 1; id <= 2000; id++ {
		store.Add(stub{trace: id, id: 1}.span())
		store.Add(stub{trace: 1, id: id + 1, parent: 1}.span()) // It goes on, so it stays.
	}
	totals := store.Totals()
	found, _ := store.Find(traces.Filter{Limit: 5000})
	require.Len(t, found, totals.Traces)
	require.Less(t, totals.Traces, 1900)
	for i, f := range found[:len(found)-1] {
		assert.Equal(t, traceID(2000-i), f.ID)
	}
	assert.Equal(t, traceID(1), found[len(found)-1].ID)
}

// A resource is counted once for all its spans, and each span may have one of its own.
func TestResourcesCount(t *testing.T) {
	large := strings.Repeat("x", 10_000)
	add := func(store *traces.Store, name func(id int) string) traces.Totals {
		shared := make(map[string]*resource.Resource)
		for id := range 2000 {
			n := name(id)
			if shared[n] == nil {
				shared[n] = resource.NewSchemaless(attribute.String("service.name", n), attribute.String("large", large))
			}
			store.Add(stub{trace: 1 + id%20, id: 1 + id, parent: 1 + id, service: shared[n]}.span())
		}
		totals := store.Totals()
		conserved(t, totals)
		return totals
	}
	one := add(traces.New(traces.Config{Bytes: 4 << 20}), func(int) string { return "one" })
	assert.Equal(t, 2000, one.Kept)
	own := add(traces.New(traces.Config{Bytes: 4 << 20}), func(id int) string { return fmt.Sprint(id) })
	assert.Less(t, own.Kept, 400)
	assert.Positive(t, own.Kept)
}

// own is a span that a test can follow.
type own struct{ sdktrace.ReadOnlySpan }

func TestForgottenSpansAreFreed(t *testing.T) {
	store := traces.New(traces.Config{Bytes: 1 << 20})
	var followed []weak.Pointer[own]
	for id := 1; id <= 100; id++ {
		span := &own{stub{trace: 1 + id/10, id: id, failed: id%20 < 10, name: "followed"}.span()}
		followed = append(followed, weak.Make(span))
		store.Add(span)
	}
	alive := func() (n int) {
		runtime.GC()
		for _, p := range followed {
			if p.Value() != nil {
				n++
			}
		}
		return n
	}
	store.Totals()
	require.Equal(t, 100, alive())
	for id := range 10_000 {
		store.Add(stub{trace: 100 + id, id: 1, failed: id%2 == 0}.span())
	}
	found, _ := store.Find(traces.Filter{Name: "followed"})
	require.Empty(t, found)
	require.Eventually(t, func() bool { return alive() == 0 }, 10*time.Second, time.Millisecond)
	runtime.KeepAlive(store)
}

func TestAddAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("it allocates for itself")
	}
	spans := made(t, 500)
	store := traces.New(traces.Config{Bytes: 1 << 20, PerSecond: -1})
	i := 0
	add := func() {
		store.Add(spans[i%len(spans)])
		i++
	}
	for range 3 * len(spans) {
		add()
	}
	require.Positive(t, store.Totals().Forgotten)
	assert.Zero(t, testing.AllocsPerRun(5000, add))
}

func TestNamesAreBounded(t *testing.T) {
	store := traces.New(traces.Config{Bytes: 1 << 20})
	for id := range 5000 {
		store.Add(stub{trace: 1 + id, id: 1, name: fmt.Sprint(id, strings.Repeat("x", 300))}.span())
		store.Add(stub{trace: 1 + id, id: 2, name: fmt.Sprint("remote ", id), parent: 9, remote: true}.span())
	}
	assert.LessOrEqual(t, store.Names(), 256)
	conserved(t, store.Totals())
}

// Whoever adds spans does not wait for whoever reads.
func TestAddDoesNotWait(t *testing.T) {
	store := traces.New(traces.Config{Bytes: 1 << 20})
	release := store.Hold()
	const many = 10_000
	for id := range many {
		store.Add(stub{trace: 1 + id, id: 1}.span())
	}
	release()
	totals := store.Totals()
	conserved(t, totals)
	assert.EqualValues(t, many, totals.Seen)
	assert.Positive(t, totals.Kept)
	assert.Positive(t, totals.Dropped)
	store.Add(stub{trace: 1, id: 2, parent: 1}.span())
	found, _ := store.Find(traces.Filter{Limit: 1})
	assert.True(t, found[0].Incomplete || found[0].ID != traceID(1), "a trace from before may miss some")
}
