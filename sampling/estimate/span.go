// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

import (
	"bytes"
	"cmp"
	"math"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	state "github.com/waybill-go/waybill/internal/fanout" // Here a fanout is something else.
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/threshold"
)

// Span has the accessors that are read of a span. ReadOnlySpan of the OpenTelemetry SDK has
// them. They must always return the same, as they do once a span has ended.
//
// If a span without a parent has a method Links like the SDK's, its links are read too. The
// method is not in the interface because the type of its result belongs to the SDK.
type Span interface { //nolint:interfacebloat // The SDK has them one by one.
	// Name returns the name.
	Name() string
	// SpanContext returns the IDs and the tracestate.
	SpanContext() trace.SpanContext
	// Parent returns the IDs of the parent, which are invalid for a root.
	Parent() trace.SpanContext
	// Attributes returns the attributes. They are not changed.
	Attributes() []attribute.KeyValue
	// StartTime returns when the span began.
	StartTime() time.Time
	// EndTime returns when the span ended.
	EndTime() time.Time
}

// The reasons of links that lead from a root to the span above it.
const (
	linkFanout = "fanout"
	linkChain  = "chain"
)

// spanKey identifies a span.
type spanKey struct {
	trace trace.TraceID
	span  trace.SpanID
}

func keyOf(sc trace.SpanContext) spanKey { return spanKey{sc.TraceID(), sc.SpanID()} }

func (k spanKey) compare(o spanKey) int {
	return cmp.Or(bytes.Compare(k.trace[:], o.trace[:]), bytes.Compare(k.span[:], o.span[:]))
}

func (k spanKey) valid() bool { return k.trace.IsValid() && k.span.IsValid() }

// fate is what became of the message that a span is about.
type fate uint8

const (
	handled fate = iota // or about no message at all
	refused
	dead
	noDelivery // about something else, such as an answer
)

// record is what is kept of a span.
type record struct {
	span  Span
	id    spanKey
	above spanKey // its parent's or, of a linked root, that of the span it goes on from
	root  bool    // of a trace that a fan-out began

	fate fate
	slow bool // marked as a slow handling

	weight      float64    // how many it stands for; NaN if nothing says so
	probability float64    // the share that was sampled at the nearest fan-out above; 0 if unknown
	size        int        // the number of recipients there; 0 if unknown
	kept        float64    // the share of the slow ones that count, of which it is one; else 1
	head        float64    // the probability that its tracestate states; 0 if none
	broadcast   *broadcast // what it says of itself if it is a broadcast
}

// broadcast is what the span of a broadcast says about it.
type broadcast struct {
	size    int
	sampled int
	budget  int // -1 if its recipients are no relays
	refused int // mailboxes that did not take it
	shed    bool
	alone   bool // each recipient was sampled or not, whatever became of the others
}

// read makes a record of what span says.
func read(span Span) record {
	sc := span.SpanContext()
	r := record{span: span, id: keyOf(sc), weight: math.NaN(), kept: 1}
	b := broadcast{sampled: -1, budget: -1}
	for _, kv := range span.Attributes() { // Of two with one key, the later counts.
		switch kv.Key {
		case keys.FanoutWeight:
			r.weight = weightOf(kv.Value)
		case keys.FanoutProbability:
			r.probability = shareOf(kv.Value)
		case keys.FanoutSize:
			b.size = sizeOf(kv.Value, 0)
		case keys.FanoutSampled:
			b.sampled = sizeOf(kv.Value, -1)
		case keys.FanoutBudget:
			b.budget = sizeOf(kv.Value, -1)
		case keys.FanoutRefused:
			b.refused = sizeOf(kv.Value, 0)
		case keys.FanoutShed:
			b.shed = isSet(kv.Value)
		case keys.FanoutMethod:
			b.alone = kv.Value.AsString() == "bernoulli"
		case keys.LateReason:
			r.fate, r.slow = fateOf(kv.Value.AsString())
		case keys.LateProbability:
			if p := shareOf(kv.Value); p > 0 {
				r.kept = p
			}
		}
	}
	r.head, _ = threshold.Probability(sc.TraceState())
	if b.sampled >= 0 && b.size > 0 {
		r.broadcast = &b
	} else {
		r.size = b.size
	}
	if math.IsNaN(r.weight) {
		r.readState(state.FromTraceState(sc.TraceState()))
	}
	r.readParent()
	return r
}

// readState reads from the tracestate what the attributes do not say, because no sampler
// added them.
func (r *record) readState(f state.Fanout) {
	if f.Depth == 0 {
		return
	}
	r.weight, r.probability = f.Weight, f.Probability
	if r.broadcast == nil {
		r.size = f.Size
	}
}

// readParent finds what is above the span.
func (r *record) readParent() {
	if r.above = keyOf(r.span.Parent()); r.above.valid() {
		return
	}
	r.above = spanKey{} // An ID without a trace, or a trace without an ID, is nobody's.
	for _, l := range linksOf(r.span) {
		reason := reasonOf(l.Attributes)
		if !l.SpanContext.IsValid() || reason != linkFanout && (reason != linkChain || r.above.valid()) {
			continue
		}
		r.above, r.root = keyOf(l.SpanContext), reason == linkFanout
		if r.root {
			return
		}
	}
}

func reasonOf(attrs []attribute.KeyValue) (reason string) {
	for _, kv := range attrs {
		if kv.Key == keys.LinkReason {
			reason = kv.Value.AsString()
		}
	}
	return reason
}

// fateOf returns what became of the message of a late span with that reason, and whether its
// handling was slow.
func fateOf(reason string) (f fate, slow bool) {
	switch {
	case strings.HasPrefix(reason, "refused_"):
		return refused, false
	case strings.HasPrefix(reason, "dead_letter_"):
		return dead, false
	case reason == "late_reply":
		return noDelivery, false
	default: // It was handled, and took long, waited long or failed.
		return handled, reason == "slow"
	}
}

// Bounds on what is read. No fan-out gives a greater weight. Greater values would overflow
// when they are weighted and squared.
const (
	maxWeight = 1e15
	maxValue  = 1e100
)

// tolerance is how much rounding may change a weight, relatively.
const tolerance = 1e-6

func validWeight(w float64) bool { return w >= 1-tolerance && w <= maxWeight }

// badWeight marks a span whose weight no fan-out gives.
const badWeight = -1

// weightOf returns 0 for a span that is in no estimate, and badWeight for one whose
// weight makes no sense.
func weightOf(v attribute.Value) float64 {
	switch w, ok := keys.Number(v); {
	case !ok:
		return badWeight
	case w == 0:
		return 0
	case validWeight(w):
		return max(w, 1)
	default:
		return badWeight
	}
}

// shareOf returns a share in (0, 1], or 0.
func shareOf(v attribute.Value) float64 {
	if p, ok := keys.Number(v); ok && p > 0 && p <= 1 {
		return p
	}
	return 0
}

// sizeOf returns the value as a number of recipients, or otherwise if it is none.
func sizeOf(v attribute.Value, otherwise int) int {
	if n, ok := keys.Number(v); ok && n >= 0 && n <= math.MaxInt32 {
		return int(n)
	}
	return otherwise
}

// isSet reports whether the value is true or a number other than 0.
func isSet(v attribute.Value) bool {
	n, ok := keys.Number(v)
	return ok && n != 0 || v.Type() == attribute.BOOL && v.AsBool()
}
