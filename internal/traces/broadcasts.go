// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"math"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/keys"
)

// lastBroadcasts is how many broadcasts are kept.
const lastBroadcasts = 256

// Broadcast is one message to many recipients, as its span tells it.
type Broadcast struct {
	Trace trace.TraceID
	Span  trace.SpanID
	Group string // beginning, of at most 128 bytes
	Start time.Time
	// Numbers of recipients: of all, and of those that were sampled, took the message and
	// refused it.
	Size, Sampled, Delivered, Refused int64
	Depth                             int64  // how many fan-outs are above it, of which it may be a part
	Method                            string // how the sampled ones were chosen; at most 128 bytes
	Shed                              bool   // a rate limit left no recipient sampled
}

// complete says what the span of e, which has that name, tells of its broadcast.
func (b *Broadcast) complete(e *entry, name string) {
	b.Trace, b.Span = e.trace, e.id
	b.Group = cut(strings.TrimPrefix(name, "broadcast "))
	b.Start = e.span.StartTime()
	for _, a := range e.span.Attributes() {
		switch a.Key {
		case keys.FanoutSize:
			b.Size = recipients(a.Value)
		case keys.FanoutSampled:
			b.Sampled = recipients(a.Value)
		case keys.FanoutDelivered:
			b.Delivered = recipients(a.Value)
		case keys.FanoutRefused:
			b.Refused = recipients(a.Value)
		case keys.FanoutDepth:
			b.Depth = recipients(a.Value)
		case keys.FanoutMethod:
			b.Method = cut(a.Value.AsString())
		case keys.FanoutShed:
			b.Shed = a.Value.AsBool()
		}
	}
}

// recipients returns a value as a number of recipients, or of fan-outs, 0 if it is none.
func recipients(v attribute.Value) int64 {
	if v.Type() != attribute.INT64 {
		return 0
	}
	return min(max(v.AsInt64(), 0), math.MaxInt32)
}

// broadcasts has the latest broadcasts.
type broadcasts struct {
	ring []Broadcast
	next int
}

func (b *broadcasts) add(latest Broadcast) {
	if len(b.ring) < lastBroadcasts {
		b.ring = append(b.ring, latest)
		return
	}
	b.ring[b.next] = latest
	b.next = (b.next + 1) % lastBroadcasts
}

// Broadcasts returns the broadcasts whose spans ended last, at most limit, the latest first.
// At most 256 are kept. They stay when their traces are forgotten.
func (s *Store) Broadcasts(limit int) []Broadcast {
	s.lock()
	defer s.mu.Unlock()
	n := len(s.broadcasts.ring)
	latest := make([]Broadcast, 0, min(max(limit, 0), n))
	for i := range cap(latest) {
		latest = append(latest, s.broadcasts.ring[(s.broadcasts.next+n-1-i)%n])
	}
	return latest
}
