// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"math"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/keys"
)

// entry is a span and what the store needs to know of it. Each call of a method of a span of
// the SDK copies the whole span, so none is called twice.
type entry struct {
	span       sdktrace.ReadOnlySpan
	resource   *resource.Resource
	trace      trace.TraceID
	id         trace.SpanID
	start, end int64 // in nanoseconds since 1970
	size       int   // in bytes
	weight     float64
	late       string     // why it was made late; empty if it was not
	broadcast  *Broadcast // what it says if it is the span of a broadcast
	rank       rank
	failed     bool
	ofSDK      bool // the SDK has made it, so it is one of those that may come too fast
}

// rank says how well a span stands for its trace.
type rank uint8

const (
	inner     rank = iota // it has a parent in this process
	localRoot             // its parent is in another process
	root                  // it has no parent
)

// longest is how many bytes are kept of a string that an attribute or a name has.
const longest = 128

// mostWeight bounds weights that make no sense.
const mostWeight = 1e15

// read reads a span with that context.
func (e *entry) read(span sdktrace.ReadOnlySpan, sc *trace.SpanContext, ofSDK bool) {
	parent, status := span.Parent(), span.Status()
	e.span, e.weight = span, 1
	e.resource = span.Resource()
	e.trace, e.id = sc.TraceID(), sc.SpanID()
	e.start, e.end = nanos(span.StartTime()), nanos(span.EndTime())
	e.failed = status.Code == codes.Error
	switch {
	case !parent.SpanID().IsValid():
		e.rank = root
	case parent.IsRemote():
		e.rank = localRoot
	}
	name := span.Name()
	e.size = spanBytes + len(name) + len(status.Description) + stateSize(sc) + stateSize(&parent)
	if e.ofSDK = ofSDK; !ofSDK {
		e.size += scopeSize(span)
	}
	attributes := span.Attributes()
	e.size += attributesSize(attributes)
	for i := range attributes {
		if a := &attributes[i]; strings.HasPrefix(string(a.Key), prefix) {
			e.attribute(a)
		}
	}
	for _, event := range span.Events() {
		e.size += eventBytes + len(event.Name) + attributesSize(event.Attributes)
	}
	for _, l := range span.Links() {
		e.size += linkBytes + attributesSize(l.Attributes) + stateSize(&l.SpanContext)
	}
	if e.broadcast != nil {
		e.broadcast.complete(e, name)
	}
}

// prefix is what our attributes begin with.
const prefix = "waybill."

func (e *entry) attribute(a *attribute.KeyValue) {
	switch a.Key {
	case keys.LateReason:
		e.late = cut(a.Value.AsString())
	case keys.FanoutWeight:
		if w, ok := keys.Number(a.Value); ok && w >= 0 {
			e.weight = min(w, mostWeight)
		}
	case keys.FanoutSampled:
		e.broadcast = &Broadcast{}
	}
}

// cut returns the beginning of s, in memory of its own if s is longer.
func cut(s string) string {
	if len(s) <= longest {
		return s
	}
	return strings.ToValidUTF8(strings.Clone(s[:longest]), "")
}

// nanos returns the nanoseconds since 1970, or the nearest number that there is.
func nanos(t time.Time) int64 {
	const most = math.MaxInt64 / int64(time.Second)
	switch seconds := t.Unix(); {
	case seconds <= -most:
		return math.MinInt64
	case seconds >= most:
		return math.MaxInt64
	default:
		return t.UnixNano()
	}
}
