// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/keys"
)

// spanID identifies a span also where spans of several traces are together.
type spanID struct {
	trace trace.TraceID
	span  trace.SpanID
}

// facts are what is to be known of a span. Times are in nanoseconds since the first start of all
// spans.
type facts struct {
	span       sdktrace.ReadOnlySpan
	from       *source
	id, parent spanID
	start, end int64 // end is not before start
	skew       int64 // what was added to start and end because clocks differ

	queue, network int64 // how long the message was in a queue and in the network; 0 if unknown
	unhandled      bool  // the message was never handled, and the span is its wait
	networked      bool  // something was said of the network
	crossed        bool  // the clocks of two machines are behind network, or behind queue if nothing was
	failed         bool
	restarted      bool // the process had restarted because of a failure
	late           string

	kind, process, message string  // of the process and the message
	size, sampled          int64   // of a broadcast; sampled is -1 for all other spans
	probability            float64 // of a recipient
	weight                 float64 // negative if the span has none
}

// lateReply is the reason of a span that stands from a call until an answer that came too late.
const lateReply = "late_reply"

// longestWait is the longest wait that is believed, in seconds. It is about three years.
const longestWait = 1e8

// latest is the latest time, in nanoseconds since the first start. It is 36 years.
const latest = math.MaxInt64 / 8

// read returns what span says. Its times are since base.
func read(span sdktrace.ReadOnlySpan, base time.Time) facts {
	sc, parent := span.SpanContext(), span.Parent()
	start, end := times(span)
	f := facts{
		span:    span,
		id:      spanID{sc.TraceID(), sc.SpanID()},
		parent:  spanID{sc.TraceID(), parent.SpanID()},
		start:   since(base, start),
		failed:  span.Status().Code == codes.Error,
		sampled: -1,
		weight:  -1,
	}
	f.end = max(f.start, since(base, end))
	for _, kv := range span.Attributes() {
		f.set(kv)
	}
	f.unhandled = strings.HasPrefix(f.late, "refused_") || strings.HasPrefix(f.late, "dead_letter_")
	for _, link := range span.Links() {
		for _, kv := range link.Attributes {
			if kv.Key == keys.LinkReason && text(kv.Value) == "restart" {
				f.restarted = true
			}
		}
	}
	return f
}

// times returns when span started and ended. If one of the two is missing, it is the other.
func times(span sdktrace.ReadOnlySpan) (start, end time.Time) {
	start, end = span.StartTime(), span.EndTime()
	switch {
	case !isTime(start):
		return end, end
	case !isTime(end):
		return start, start
	default:
		return start, end
	}
}

// isTime reports whether t can be a time of a span. OTLP has 1970 for none.
func isTime(t time.Time) bool { return t.Unix() > 0 }

// since returns t as nanoseconds since base, 0 if t is not known. It strips the reading of the
// monotonic clock, because the spans of others have none.
func since(base, t time.Time) int64 {
	if !isTime(t) {
		return 0
	}
	return min(max(int64(t.Round(0).Sub(base)), -latest), latest)
}

func (f *facts) set(kv attribute.KeyValue) {
	switch kv.Key {
	case keys.QueueDuration:
		f.queue = seconds(kv.Value)
	case keys.NetworkDuration:
		f.network, f.networked = seconds(kv.Value), true
	case keys.ClocksCrossed:
		f.crossed = kv.Value.Type() == attribute.BOOL && kv.Value.AsBool()
	case keys.LateReason:
		f.late = text(kv.Value)
	case keys.ProcessKind:
		f.kind = text(kv.Value)
	case keys.ProcessID:
		f.process = text(kv.Value)
	case keys.MessageType:
		f.message = text(kv.Value)
	case keys.FanoutSize:
		f.size = int64(max(number(kv.Value), 0))
	case keys.FanoutSampled:
		f.sampled = int64(max(number(kv.Value), 0))
	case keys.FanoutWeight:
		f.weight = max(number(kv.Value), 0)
	case keys.FanoutProbability:
		f.probability = number(kv.Value)
	}
}

func text(v attribute.Value) string {
	if v.Type() != attribute.STRING {
		return ""
	}
	return v.AsString()
}

// number returns 0 for what is none, or is beyond all that makes sense.
func number(v attribute.Value) float64 {
	if n, _ := keys.Number(v); math.Abs(n) < 1e15 {
		return n
	}
	return 0
}

func seconds(v attribute.Value) int64 {
	s := number(v)
	if s < 0 || s > longestWait {
		return 0
	}
	return int64(math.Round(s * float64(time.Second)))
}

// wait is how long the message was under way before the span started.
func (f *facts) wait() int64 {
	if f.unhandled {
		return 0
	}
	return f.queue + f.network
}

// async reports whether nobody waits for the span.
func (f *facts) async() bool { return f.span.SpanKind() == trace.SpanKindConsumer }

// answered reports whether the span does nothing but wait for an answer.
func (f *facts) answered() bool {
	return f.span.SpanKind() == trace.SpanKindClient ||
		f.kind != "" && strings.HasPrefix(f.span.Name(), "call ")
}

// compare is the order of spans that does not depend on the order in which they came.
func compare(a, b *facts) int {
	if c := cmp.Or(
		cmp.Compare(a.start, b.start),
		cmp.Compare(b.end, a.end),
		slices.Compare(a.id.trace[:], b.id.trace[:]),
		slices.Compare(a.id.span[:], b.id.span[:]),
		slices.Compare(a.parent.span[:], b.parent.span[:]),
		cmp.Compare(a.span.SpanKind(), b.span.SpanKind()),
		cmp.Compare(a.span.Name(), b.span.Name()),
	); c != 0 {
		return c
	}
	return cmp.Compare(everything(a.span), everything(b.span)) // The same span twice, or nearly.
}

// everything is all else that tells spans apart.
func everything(s sdktrace.ReadOnlySpan) string {
	attrs := attribute.NewSet(s.Attributes()...)
	var b strings.Builder
	b.WriteString(attrs.Encoded(attribute.DefaultEncoder()))
	b.WriteString(s.Resource().String())
	b.WriteString(s.Status().Code.String())
	for _, link := range s.Links() {
		set := attribute.NewSet(link.Attributes...)
		b.WriteString(set.Encoded(attribute.DefaultEncoder()))
	}
	return b.String()
}
