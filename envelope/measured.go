// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/header"
)

// measurement is what is measured of one message, or of one batch.
type measurement struct {
	totals *receiverTotals
	typ    reflect.Type
	count  uint64          // messages
	ctx    context.Context //nolint:containedctx // Of the handling, for exemplars.
	begun  time.Time
	took   time.Duration
	waited []time.Duration // of those messages of which it is known
	failed bool            // The handler has returned an error.
}

// begin counts a message that is about to be handled.
func (m *measurement) begin(h *header.Header) {
	m.count++
	now := &m.totals.counts.Now
	switch {
	case h.Sampled() || h.Caller() != nil:
		atomic.AddUint64(&now.Traced, 1)
	case h.Undecided():
		atomic.AddUint64(&now.Untraced, 1)
	default:
		atomic.AddUint64(&now.Unsampled, 1)
	}
	if sent := h.SentAt(); !sent.IsZero() {
		m.waited = append(m.waited, time.Since(sent))
	}
}

// start begins the time of the handling, which has that context.
func (m *measurement) start(ctx context.Context) { m.ctx, m.begun = ctx, time.Now() }

// stop ends the time of the handling.
func (m *measurement) stop() { m.took = time.Since(m.begun) }

// end counts what became of the messages. It is to be deferred by whoever has begun. If the
// handling panics, the panic goes on.
func (m *measurement) end(returned *bool) {
	now := &m.totals.counts.Now
	switch {
	case *returned && m.failed:
		atomic.AddUint64(&now.Errors, m.count)
	case *returned:
		atomic.AddUint64(&now.Handled, m.count)
	default:
		if recovered := recover(); recovered != nil { // Goexit leaves nothing to recover.
			atomic.AddUint64(&now.Panicked, m.count)
			defer panic(recovered)
		} else {
			atomic.AddUint64(&now.Exited, m.count)
		}
	}
	if m.totals.durations == nil {
		return
	}
	guard.Do(func() {
		series := m.totals.durations.Of(m.typ)
		for _, d := range m.waited {
			series.Queued(m.ctx, d)
		}
		series.Handled(m.ctx, m.took)
	})
}

// measure calls do with a function to pass the handling's context and argument to, which
// calls handle, and measures that.
func measure[A, R any](m *measurement, handle func(context.Context, A) R, do func(func(context.Context, A) R) R) R {
	returned := false
	defer m.end(&returned)
	result := do(func(ctx context.Context, argument A) R {
		m.start(ctx)
		defer m.stop()
		return handle(ctx, argument)
	})
	err, _ := any(result).(error)
	m.failed = err != nil
	returned = true
	return result
}

// receiveMeasured is the loop of Receive for a receiver with metrics.
func receiveMeasured[M any](
	ctx context.Context, r *receiver, ch <-chan Envelope[M], yield func(context.Context, M) bool,
) {
	defer watch(r.totals, ch)()
	done := ctx.Done()
	for {
		e, ok, err := next(ctx, done, ch)
		if !ok {
			*r.end = err
			return
		}
		if !deliverMeasured(r, e, yield) {
			return
		}
	}
}

// deliverMeasured is deliver for a receiver with metrics.
func deliverMeasured[M, R any](r *receiver, e Envelope[M], handle func(context.Context, M) R) R {
	m := measurement{totals: r.totals, typ: reflect.TypeFor[M]()}
	if m.typ.Kind() == reflect.Interface {
		m.typ = reflect.TypeOf(e.message)
	}
	m.begin(e.header)
	return measure(&m, handle, func(handle func(context.Context, M) R) R { return deliver(r, e, handle) })
}

// handleMeasured is handleBatch for a receiver with metrics.
func handleMeasured[M any](
	r *receiver, batch []Envelope[M], handle func(context.Context, []Envelope[M]) error,
) error {
	m := measurement{totals: r.totals, typ: reflect.TypeFor[M]()}
	for i := range batch {
		m.begin(batch[i].header)
	}
	return measure(&m, handle, func(handle func(context.Context, []Envelope[M]) error) error {
		return handleBatch(r, batch, handle)
	})
}
