// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/examples/patterns"
)

func TestWorkAndDistribute(t *testing.T) {
	r := record(t)
	queue := make(orders, 100)
	r.from(t.Context(), "import", func(ctx context.Context) {
		patterns.Distribute(ctx, queue, make([]patterns.Order, 100))
	})
	close(queue)
	var shipped atomic.Int32
	patterns.Work(t.Context(), 4, queue, func(ctx context.Context, _ patterns.Order) {
		assert.True(t, trace.SpanFromContext(ctx).IsRecording())
		shipped.Add(1)
	})
	assert.EqualValues(t, 100, shipped.Load())
	assert.Len(t, r.below(t)["import"], 100)
}

func TestDistributeSharesItsHeader(t *testing.T) {
	r := record(t)
	queue := make(orders, 2)
	r.from(t.Context(), "import", func(ctx context.Context) {
		patterns.Distribute(ctx, queue, make([]patterns.Order, 2))
	})
	first, second := <-queue, <-queue
	require.NotNil(t, first.Header())
	assert.Same(t, first.Header(), second.Header())
}

func TestPrice(t *testing.T) {
	r := record(t)
	received, priced := make(orders, 1), make(orders, 1)
	r.from(t.Context(), "checkout", func(ctx context.Context) {
		received <- envelope.Wrap(ctx, patterns.Order{Item: "a lamp"})
	})
	close(received)
	require.NoError(t, patterns.Price(t.Context(), received, priced,
		func(context.Context, patterns.Order) int { return 1999 }))
	close(priced)
	patterns.Work(t.Context(), 1, priced, func(_ context.Context, o patterns.Order) {
		assert.Equal(t, patterns.Order{Item: "a lamp", Price: 1999}, o)
	})
	assert.Equal(t, map[string][]string{"checkout": {"price order"}, "price order": {"ship order"}}, r.below(t),
		"the spans of the steps nest")
}

// TestMerge has messages wait for two seconds in a channel and for one more in
// the merged one.
func TestMerge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := record(t)
		sources := []orders{make(orders, 1), make(orders, 1)}
		r.from(t.Context(), "checkout", func(ctx context.Context) {
			sources[0] <- envelope.Wrap(ctx, patterns.Order{Item: "a lamp"})
		})
		close(sources[0])
		time.Sleep(2 * time.Second) // Of the bubble's clock, as below.
		merged := patterns.Merge(sources[0], sources[1])
		time.Sleep(time.Second)
		e := <-merged
		assert.Equal(t, "a lamp", e.Message().Item)
		close(sources[1])
		_, open := <-merged
		assert.False(t, open)

		ship := func(e envelope.Envelope[patterns.Order]) float64 {
			r := record(t)
			handle := envelope.Handler(t.Context(), "ship order", func(context.Context, patterns.Order) error { return nil })
			require.NoError(t, handle(e))
			return waited(t, r.named(t, "ship order"))
		}
		assert.InDelta(t, 3, ship(e), 1e-9, "in both channels")
		assert.InDelta(t, 0, ship(patterns.Restamp(e)), 1e-9, "since it was stamped anew")
		assert.Equal(t, e.Header().SpanContext(), patterns.Restamp(e).Header().SpanContext())
	})
}

func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := record(t)
		questions := make(chan envelope.Envelope[patterns.Question], 1)
		go patterns.Answer(t.Context(), questions, func(ctx context.Context, item string) (int, error) {
			deadline, ok := ctx.Deadline()
			assert.True(t, ok && deadline.Equal(time.Now().Add(time.Minute)), "the asker's")
			if item == "a lamp" {
				return 1999, nil
			}
			<-ctx.Done()
			if item == "a table" {
				return 0, ctx.Err()
			}
			time.Sleep(time.Second) // Of the bubble's clock, as below.
			return 2999, nil
		})
		r.from(t.Context(), "checkout", func(ctx context.Context) {
			price, err := patterns.Ask(ctx, questions, "a lamp", time.Minute)
			assert.NoError(t, err)
			assert.Equal(t, 1999, price)
			synctest.Wait()
		})
		assert.Equal(t, map[string][]string{"checkout": {"look up price"}}, r.below(t))

		for _, item := range []string{"a table", "a bed"} { // The second is answered too late.
			_, err := patterns.Ask(t.Context(), questions, item, time.Minute)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			time.Sleep(2 * time.Second)
		}
		close(questions)
	})
}

func TestStore(t *testing.T) {
	r := record(t)
	queue := make(orders)
	ticks := make(chan time.Time)
	var batches [][]string
	var slice []envelope.Envelope[patterns.Order]
	done := make(chan error)
	go func() {
		done <- patterns.Store(t.Context(), queue, 3, ticks, func(ctx context.Context, batch []envelope.Envelope[patterns.Order]) error {
			var items []string
			for _, e := range batch {
				items = append(items, e.Message().Item)
			}
			batches = append(batches, items)
			slice = batch[:cap(batch)]
			if len(batches) == 3 {
				return errors.New("disk full")
			}
			return nil
		})
	}()
	send := func(sender, item string) {
		r.from(t.Context(), sender, func(ctx context.Context) {
			assert.NoError(t, envelope.Send(ctx, queue, patterns.Order{Item: item}))
		})
	}
	send("one", "a lamp")
	queue <- envelope.Bare(patterns.Order{Item: "a chair"})
	send("two", "a table") // That makes three.
	queue <- envelope.Bare(patterns.Order{Item: "a bed"})
	ticks <- time.Time{}
	ticks <- time.Time{} // Nothing to store.
	send("three", "a desk")
	close(queue)
	assert.EqualError(t, <-done, "disk full")

	assert.Equal(t, [][]string{{"a lamp", "a chair", "a table"}, {"a bed"}, {"a desk"}}, batches)
	assert.Equal(t, make([]envelope.Envelope[patterns.Order], 3), slice, "nothing is held")
	assert.Equal(t, map[string][]string{"one": {"store orders"}, "three": {"store orders"}}, r.below(t))
	for _, s := range r.Ended() {
		if s.Parent().SpanID() == r.named(t, "one").SpanContext().SpanID() {
			require.Len(t, s.Links(), 2)
			assert.Equal(t, r.named(t, "one").SpanContext(), s.Links()[0].SpanContext)
			assert.Equal(t, r.named(t, "two").SpanContext(), s.Links()[1].SpanContext)
		}
	}
}
