// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/internal/w3cbaggage"
)

// Baggage is a [propagation.TextMapPropagator] for W3C Baggage. Its zero value
// is ready and stands where OTel's [propagation.Baggage] would: it takes and
// writes every key within the limits of the standard. Its fields narrow that
// where baggage crosses a boundary, in either direction: what may come in from a
// stranger, and what may go out to one.
//
// A Baggage is a value that is not changed once it is in use, and then any
// number of goroutines may use it at the same time. It cannot be compared with
// ==, because of its list.
type Baggage struct {
	// Allow lists the keys that may pass, letter for letter. Nil lets all pass, an
	// empty list none. The list must not be changed any more.
	Allow []string
	// MaxMembers is how many members may pass; 64, the most, if it is zero,
	// negative or more than that.
	MaxMembers int
	// MaxBytes is how long the header may be, all of its values together with the
	// commas between them; 8,192, the most, if it is zero, negative or more than
	// that.
	MaxBytes int
	// Counters counts what is left out; [DefaultCounters] if it is nil.
	Counters *Counters
}

var _ propagation.TextMapPropagator = Baggage{}

// WithBaggage makes a [SampledFirst] treat the baggage that it reads and writes
// as b does. What is left out counts among the figures of the SampledFirst,
// unless b has counters of its own.
func WithBaggage(b Baggage) Option {
	return option(func(c config) config {
		c.baggage = b
		return c
	})
}

// Extract returns ctx with the baggage that carrier holds, in the place of any
// that ctx had. Repeated headers are one list, in their order.
//
//   - A header that is too long, or has nothing well-formed in it, is refused
//     whole and counted ([Counts].BaggageRefused). Its length is known before
//     anything is parsed or allocated.
//   - A member that is malformed or not allowed, or comes after the last that
//     may pass, is left out and counted ([Counts].BaggageDropped), and so is
//     all but the last of those that share a key, of which OTel's type holds
//     one only. Empty ones say nothing and are passed over.
//   - Values are percent-decoded, and what is then no UTF-8 becomes U+FFFD; a
//     value that could not be written again for this, being near the limit of
//     bytes, is left out. A percent sign without two digits is malformed.
//     Properties are kept as they came.
//
// Where nothing is left, ctx goes on as it was, with the baggage it had, as
// OpenTelemetry asks of every propagator: it may be that of the server itself.
// So each request or message must be extracted on a context that knows nothing
// of the one before; on the context of that one, its baggage would stay.
func (b Baggage) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	return b.extract(ctx, carrier, b.Counters.or())
}

// Inject writes the baggage of ctx to carrier, sorted by key, or takes away
// what carrier held before if there is none (see [SampledFirst.Inject] on how).
// Members that are not allowed, or no longer fit the limits, or whose key the
// standard does not allow, are left out and counted ([Counts].BaggageDropped).
func (b Baggage) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	baggageField.put(carrier, b.header(ctx, b.Counters.or()))
}

// Fields returns the key that Inject writes or takes away, in a slice that is
// the caller's own.
func (Baggage) Fields() []string { return []string{baggageField.lower} }

func (b Baggage) extract(ctx context.Context, carrier propagation.TextMapCarrier, counters *Counters) context.Context {
	var one [1]string
	list := w3cbaggage.Read(baggageField.values(carrier, &one), b.limits())
	if list.Refused() {
		atomic.AddUint64(&counters.now().BaggageRefused, 1)
		return ctx
	}
	if dropped := list.Dropped(); dropped > 0 {
		atomic.AddUint64(&counters.now().BaggageDropped, uint64(dropped))
	}
	bag, err := baggage.New(list.Members...)
	if err != nil || bag.Len() == 0 { // There is no error within these limits.
		return ctx
	}
	return baggage.ContextWithBaggage(ctx, bag)
}

// header returns what there is to write of the baggage of ctx.
func (b Baggage) header(ctx context.Context, counters *Counters) string {
	list, dropped := w3cbaggage.Encode(baggage.FromContext(ctx), b.limits())
	if dropped > 0 {
		atomic.AddUint64(&counters.now().BaggageDropped, uint64(dropped))
	}
	return list
}

func (b Baggage) limits() w3cbaggage.Limits {
	return w3cbaggage.Limits{Allow: b.Allow, Members: b.MaxMembers, Bytes: b.MaxBytes}
}
