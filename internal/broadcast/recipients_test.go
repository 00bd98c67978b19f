// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package broadcast_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/broadcast"
	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/planning"
)

// walk goes through the sampled recipients below size, and returns what they are worth.
func walk(t *testing.T, r *broadcast.Recipients, size int) (positions []int, headers []*header.Header, weight float64) {
	t.Helper()
	for i := r.Position(); i < size; i = r.Position() {
		if !r.Reach() {
			continue
		}
		h, f := r.Header()
		assert.Equal(t, f, fanout.FromTraceState(h.SpanContext().TraceState()))
		positions, headers, weight = append(positions, i), append(headers, h), weight+f.Weight
	}
	return positions, headers, weight
}

func TestRecipientsOfAPlanShareTheirHeader(t *testing.T) {
	r := record()
	_, b := r.start(inTrace(), false)
	recipients := b.Plan(planning.Planner{}, 1000)
	positions, headers, weight := walk(t, recipients, 1000)
	assert.Len(t, positions, recipients.Sampled())
	assert.IsIncreasing(t, positions)
	assert.InDelta(t, 1000, weight, 1e-6)
	for _, h := range headers {
		assert.Same(t, headers[0], h)
	}
	assert.Equal(t, planning.Never, recipients.Position())
	recipients.Describe(0, 0, 990, 10)
	b.End()
	_, attrs := r.one(t)
	assert.EqualValues(t, 1000, attrs[keys.FanoutSize])
	assert.EqualValues(t, 990, attrs[keys.FanoutDelivered])
}

func TestRelaysHaveABudgetEach(t *testing.T) {
	r := record()
	_, b := r.start(inTrace(), false)
	recipients := b.PlanRelays(planning.Planner{}, []int{500, 500})
	budget := 0
	for range recipients.Sampled() {
		_, f := recipients.Header()
		budget += f.Budget
	}
	recipients.Describe(0, 0, 2, 0)
	b.End()
	_, attrs := r.one(t)
	assert.EqualValues(t, budget, attrs[keys.FanoutBudget])
	assert.Equal(t, "all", attrs[keys.FanoutMethod])
}

func TestRecipientsOfAStream(t *testing.T) {
	r := record()
	_, b := r.start(inTrace(), false)
	recipients := b.PlanStream(planning.Planner{}, 100)
	positions, _, _ := walk(t, recipients, 100_000)
	require.NotEmpty(t, positions)
	assert.Less(t, len(positions), 1000, "although about 100 were told of")
	recipients.Describe(100_000, len(positions), 100_000, 0)
	b.End()
	_, attrs := r.one(t)
	assert.EqualValues(t, 100_000, attrs[keys.FanoutSize])
	assert.EqualValues(t, len(positions), attrs[keys.FanoutSampled])
	assert.Equal(t, "bernoulli", attrs[keys.FanoutMethod])
}

// Parts are the whole, each sampled one in the part that its position is in.
func TestParts(t *testing.T) {
	_, b := record().start(inTrace(), false)
	defer b.End()
	recipients := b.Plan(planning.Planner{}, 1000)
	whole := *recipients
	want, _, _ := walk(t, &whole, 1000)
	var got []int
	var sum float64
	for end := 250; end <= 1000; end += 250 {
		part := recipients.Cut(end)
		positions, _, weight := walk(t, part, planning.Never)
		for _, p := range positions {
			assert.Less(t, p, end)
			assert.GreaterOrEqual(t, p, end-250)
		}
		got, sum = append(got, positions...), sum+weight
	}
	assert.Equal(t, want, got)
	assert.InDelta(t, 1000, sum, 1e-6)

	stream := b.PlanStream(planning.Planner{}, 100)
	a, _, _ := walk(t, stream.Cut(0), 10_000)
	c, _, _ := walk(t, stream.Cut(0), 10_000)
	assert.NotEqual(t, a, c, "they are independent")
}
