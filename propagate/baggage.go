// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
)

// What the W3C asks everyone to carry, and what package baggage can hold.
const (
	maxBaggageMembers = 64
	maxBaggageBytes   = 8192
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
	values := baggageField.values(carrier, &one)
	length := max(len(values)-1, 0) // The commas.
	for _, value := range values {
		length += len(value)
	}
	if length > b.maxBytes() {
		counters.baggageRefused.Add(1)
		return ctx
	}

	list := memberList{limits: b, room: b.maxBytes() - length}
	for _, value := range values {
		for text := range strings.SplitSeq(value, ",") {
			list.add(text)
		}
	}
	if list.malformed > 0 && list.wellFormed == 0 {
		counters.baggageRefused.Add(1)
		return ctx
	}
	if dropped := list.malformed + list.wellFormed - len(list.members); dropped > 0 {
		counters.baggageDropped.Add(uint64(dropped))
	}
	bag, err := baggage.New(list.members...)
	if err != nil || bag.Len() == 0 { // There is no error within these limits.
		return ctx
	}
	return baggage.ContextWithBaggage(ctx, bag)
}

// header returns what there is to write of the baggage of ctx.
func (b Baggage) header(ctx context.Context, counters *Counters) string {
	members := baggage.FromContext(ctx).Members()
	slices.SortFunc(members, func(x, y baggage.Member) int { return cmp.Compare(x.Key(), y.Key()) })
	var space [256]byte
	header, written := space[:0], 0
	for _, m := range members {
		before := len(header)
		if written > 0 {
			header = append(header, ',')
		}
		header = appendMember(header, m)
		if written == b.maxMembers() || len(header) > b.maxBytes() || !isToken(m.Key()) || !b.allows(m.Key()) {
			header = header[:before]
			continue
		}
		written++
	}
	if dropped := len(members) - written; dropped > 0 {
		counters.baggageDropped.Add(uint64(dropped))
	}
	return string(header)
}

func (b Baggage) allows(key string) bool { return b.Allow == nil || slices.Contains(b.Allow, key) }

func (b Baggage) maxMembers() int { return lowered(b.MaxMembers, maxBaggageMembers) }

func (b Baggage) maxBytes() int { return lowered(b.MaxBytes, maxBaggageBytes) }

// lowered returns limit, or most if it is not less than that or not set.
func lowered(limit, most int) int {
	if limit <= 0 {
		return most
	}
	return min(limit, most)
}
