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

// Baggage is a [propagation.TextMapPropagator] for W3C Baggage. Its zero value is ready
// and does what OTel's [propagation.Baggage] does: it reads and writes every key within
// the limits of the standard. The fields say what may pass where baggage crosses a
// boundary: what may come in from a stranger, or go out to one.
//
// Do not change a Baggage once it is in use. Then any number of goroutines may use it,
// and copies of it, at the same time. Its list makes it incomparable with ==.
type Baggage struct {
	// Allow lists the keys that may pass, letter for letter. Nil lets all pass, an
	// empty list none. The list must not be changed any more.
	Allow []string
	// MaxMembers is how many members may pass. Zero means 64, which is the most. So
	// does a number that is negative or greater.
	MaxMembers int
	// MaxBytes is how many bytes the header may have: all of its values, and the
	// commas between them. Zero means 8,192, which is the most. So does a number that is
	// negative or greater.
	MaxBytes int
	// Counters counts what is left out. Nil means [DefaultCounters].
	Counters *Counters
}

var _ propagation.TextMapPropagator = Baggage{}

// Extract returns ctx with the baggage that carrier holds, in place of the baggage of
// ctx. Repeated headers are one list, in their order.
//
//   - A header that is too long, or has nothing well-formed in it, is refused whole and
//     counted. It is measured before anything is parsed or allocated.
//   - So are headers whose key has one value in lower case and another as net/http spells it.
//   - A member that is malformed, not allowed or beyond the limit is left out and
//     counted. Of members with one key the last stays, because OTel's type holds only
//     one; the others are left out and counted too. Empty members mean nothing.
//   - Values are percent-decoded. Bytes that are then no UTF-8 become U+FFFD. If that
//     makes a value too long to be written again, the member is left out. A percent
//     sign without two digits is malformed. Properties stay as they came.
//
// If nothing is left, ctx keeps the baggage that it had, as OpenTelemetry asks of every
// propagator: it may be that of the server itself. So extract each request or message on
// a context that knows nothing of the one before.
func (b Baggage) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	return b.extract(ctx, carrier, b.Counters)
}

// Inject writes the baggage of ctx to carrier, sorted by key. If there is none, it takes
// away what carrier held before, as [SampledFirst.Inject] does. Members that are not
// allowed or beyond the limits, or whose keys the standard does not allow, are left out
// and counted.
func (b Baggage) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	baggageField.put(carrier, b.header(ctx, b.Counters))
}

// Fields returns the key that Inject writes or takes away, in a new slice.
func (Baggage) Fields() []string { return []string{baggageField.lower} }

func (b Baggage) extract(ctx context.Context, carrier propagation.TextMapCarrier, counters *Counters) context.Context {
	var one [1]string
	values, agreed := baggageField.values(carrier, &one)
	list := w3cbaggage.Read(known(values, agreed), b.limits())
	if list.Refused() || !agreed {
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
