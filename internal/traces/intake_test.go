// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traces_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/internal/traces"
)

// spanning makes traces of eight spans with the SDK.
type spanning struct {
	t     *testing.T
	store *traces.Store
	added int
}

func newSpanning(t *testing.T, config traces.Config) *spanning {
	t.Helper()
	return &spanning{t: t, store: traces.New(config)}
}

// add adds so many spans in a second, for some time.
func (s *spanning) add(perSecond int, long time.Duration) traces.Totals {
	s.t.Helper()
	const step = 10 * time.Millisecond
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(processor(s.store.Add)))
	tracer := provider.Tracer("test")
	due := 0.0
	before := s.store.Totals()
	for ; long > 0; long -= step {
		for due += float64(perSecond) * step.Seconds(); due >= 8; due -= 8 {
			ctx, root := tracer.Start(s.t.Context(), "POST /")
			for range 7 {
				_, span := tracer.Start(ctx, "guild Message")
				span.End()
			}
			root.End()
			s.added += 8
		}
		time.Sleep(step)
	}
	after := s.store.Totals()
	conserved(s.t, after)
	assert.EqualValues(s.t, s.added, after.Seen)
	after.Seen -= before.Seen
	after.Dropped -= before.Dropped
	after.Naive -= before.Naive
	return after
}

func TestNothingIsDroppedAtUsualRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSpanning(t, traces.Config{PerSecond: 1000})
		s.add(900, 10*time.Second)
		s.add(4000, 200*time.Millisecond) // A burst after a calm while.
		assert.Zero(t, s.add(900, time.Second).Dropped)
	})
}

func TestTooManySpansAreDroppedByTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSpanning(t, traces.Config{PerSecond: 1000})
		s.add(10_000, 2*time.Second)
		steady := s.add(10_000, 8*time.Second)
		taken := steady.Seen - steady.Dropped
		assert.InEpsilon(t, 8*1000, taken, 0.3)
		assert.InEpsilon(t, steady.Seen, steady.Naive, 0.2, "totals stay right")
		found, _ := s.store.Find(traces.Filter{Limit: 100})
		require.Len(t, found, 100)
		for _, f := range found {
			assert.True(t, f.Incomplete || f.Spans == 8 && !f.RootMissing, f)
		}

		s.add(500, 2*time.Second)
		assert.Zero(t, s.add(500, 5*time.Second).Dropped, "all are taken again")
		found, _ = s.store.Find(traces.Filter{Limit: 100})
		for _, f := range found {
			assert.False(t, f.Incomplete)
			assert.Equal(t, 8, f.Spans)
		}
	})
}

// The store takes everything again, also if hardly a span is taken that could make it so.
func TestTheIntakeRecoversWithoutSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSpanning(t, traces.Config{PerSecond: 100})
		assert.Positive(t, s.add(10_000, time.Second).Dropped)
		time.Sleep(time.Second)
		assert.Zero(t, s.add(8, 10*time.Second).Dropped)
	})
}

func TestNoLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSpanning(t, traces.Config{PerSecond: -1})
		assert.Zero(t, s.add(20_000, time.Second).Dropped)
	})
}

// Spans that were read from somewhere come as fast as their reader makes them, and are not
// dropped.
func TestSpansOfOthersAreNotDropped(t *testing.T) {
	store := traces.New(traces.Config{PerSecond: 1})
	for id := range 5000 {
		store.Add(stub{trace: 1 + id, id: 1}.span())
	}
	totals := store.Totals()
	assert.Zero(t, totals.Dropped)
	assert.EqualValues(t, 5000, totals.Seen)
}

// A trace of which a part was dropped says so.
func TestACutTraceIsIncomplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSpanning(t, traces.Config{PerSecond: 1000})
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(processor(s.store.Add)))
		ctx, root := provider.Tracer("test").Start(t.Context(), "long")
		_, span := provider.Tracer("test").Start(ctx, "first")
		span.End()
		s.added++
		assert.Positive(t, s.add(10_000, time.Second).Dropped)
		time.Sleep(time.Second)
		root.End()
		found, _ := s.store.Find(traces.Filter{Name: "long"})
		require.Len(t, found, 1)
		assert.True(t, found[0].Incomplete)
		one, _ := s.store.Trace(found[0].ID)
		assert.True(t, one.Incomplete)
	})
}
