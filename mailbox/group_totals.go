// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/internal/broadcast"
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/observe"
)

// sizeBounds are the upper bounds of the buckets of how many members broadcasts have.
var sizeBounds = []float64{
	1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000,
}

// groupTotals is what the groups of one name in a system share.
type groupTotals struct {
	counts observe.Tally[broadcast.Counts]

	sizes   metric.Int64Histogram // nil without a meter provider
	options []metric.RecordOption
}

// newGroupTotals returns those of groups of that name, whose sizes go to the histogram with
// attrs. A nil histogram is none.
func newGroupTotals(name string, sizes metric.Int64Histogram, attrs []attribute.KeyValue) *groupTotals {
	t := &groupTotals{sizes: sizes}
	if sizes != nil {
		set := attribute.NewSet(append([]attribute.KeyValue{keys.FanoutGroup.String(name)}, attrs...)...)
		t.options = []metric.RecordOption{metric.WithAttributeSet(set)}
	}
	return t
}

// add counts a broadcast to so many members, which was made with ctx.
func (t *groupTotals) add(ctx context.Context, size, delivered, refused, sampled int) {
	now := &t.counts.Now
	atomic.AddUint64(&now.Broadcasts, 1)
	addTo(&now.Delivered, delivered)
	addTo(&now.Refused, refused)
	addTo(&now.Sampled, sampled)
	if t.sizes != nil {
		guard.Do(func() { t.sizes.Record(ctx, int64(size), t.options...) })
	}
}

func addTo(count *uint64, n int) {
	if n > 0 {
		atomic.AddUint64(count, uint64(n))
	}
}

// newSizes makes the histogram of the sizes of broadcasts.
func newSizes(meter metric.Meter) (metric.Int64Histogram, error) {
	return meter.Int64Histogram("waybill.fanout.size", metric.WithUnit("{recipient}"),
		metric.WithDescription("Members that groups had when a broadcast to them began."),
		metric.WithExplicitBucketBoundaries(sizeBounds...))
}
