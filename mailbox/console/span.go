// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/traces/explain"
)

const (
	maxValueBytes  = 64 << 10 // of one value
	maxDetailBytes = 2 << 20  // of all names and values of a span
	maxDetails     = 1000     // attributes, events or links
)

// spanDocument is everything of one span. What is beyond the bounds of an answer is left
// out, and counted.
type spanDocument struct {
	TraceID     string       `json:"trace_id"`
	SpanID      string       `json:"span_id"`
	ParentID    string       `json:"parent_id"`
	TraceState  string       `json:"trace_state,omitempty"`
	Sampled     bool         `json:"sampled"`
	Name        string       `json:"name"`
	Service     string       `json:"service"`
	Kind        string       `json:"kind"`
	Start       time.Time    `json:"start"` // as the span says it
	DurationNS  int64        `json:"duration_ns"`
	ProcessKind string       `json:"process_kind,omitempty"`
	ProcessID   string       `json:"process_id,omitempty"`
	Status      statusJSON   `json:"status"`
	Attributes  [][2]string  `json:"attributes"`
	Events      []eventJSON  `json:"events"`
	Links       []linkJSON   `json:"links"`
	Resource    [][2]string  `json:"resource"`
	Scope       scopeJSON    `json:"scope"`
	Dropped     detailCounts `json:"dropped"`  // by the limits of the SDK that made it
	LeftOut     int          `json:"left_out"` // attributes, events and links that are not shown
}

type statusJSON struct {
	Code        string `json:"code"`
	Description string `json:"description"`
}

type eventJSON struct {
	AtNS       int64       `json:"at_ns"` // since the start of the trace
	Name       string      `json:"name"`
	Attributes [][2]string `json:"attributes"`
}

type linkJSON struct {
	TraceID    string      `json:"trace_id"`
	SpanID     string      `json:"span_id"`
	Reason     string      `json:"reason"`
	Known      bool        `json:"known"` // its trace is kept
	Attributes [][2]string `json:"attributes"`
}

type scopeJSON struct {
	Name       string      `json:"name"`
	Version    string      `json:"version"`
	SchemaURL  string      `json:"schema_url"`
	Attributes [][2]string `json:"attributes"`
}

type detailCounts struct {
	Attributes int `json:"attributes"`
	Events     int `json:"events"`
	Links      int `json:"links"`
}

func (c *Console) serveSpan(w http.ResponseWriter, r *http.Request) {
	id, err := trace.SpanIDFromHex(r.PathValue("span"))
	if err != nil {
		fail(w, http.StatusBadRequest, "the ID of a span has 16 digits of hexadecimal numbers, which are not all zero")
		return
	}
	found, ok := c.findTrace(w, r)
	if !ok {
		return
	}
	nodes := explain.Tree(found.Spans)
	start := explain.Explain(found.Spans, nil).Start
	var wanted *explain.Node
	for i := range nodes {
		if begin := began(&nodes[i]); begin.Before(start) {
			start = begin
		}
		if wanted == nil && nodes[i].Span.SpanContext().SpanID() == id {
			wanted = &nodes[i]
		}
	}
	if wanted == nil {
		fail(w, http.StatusNotFound, "this span is not kept, or no longer")
		return
	}
	answer(w, c.newSpanDocument(wanted, start))
}

func (c *Console) newSpanDocument(n *explain.Node, start time.Time) *spanDocument {
	span, room := n.Span, room{bytes: maxDetailBytes}
	sc := span.SpanContext()
	d := &spanDocument{
		TraceID: sc.TraceID().String(), SpanID: sc.SpanID().String(), Sampled: sc.IsSampled(),
		TraceState: cut(sc.TraceState().String(), maxFilterBytes),
		Name:       room.text(span.Name()), Service: cut(n.Origin, maxNameBytes), Kind: span.SpanKind().String(),
		Start: moment(span.StartTime()), DurationNS: n.End.Sub(n.Start).Nanoseconds(),
		Status:     statusJSON{span.Status().Code.String(), room.text(span.Status().Description)},
		Attributes: room.attributes(span.Attributes()),
		Events:     []eventJSON{},
		Links:      []linkJSON{},
		Resource:   room.attributes(span.Resource().Attributes()),
		Dropped:    detailCounts{span.DroppedAttributes(), span.DroppedEvents(), span.DroppedLinks()},
	}
	if !c.config.TracesOnly { // They lead to a page.
		d.ProcessKind, d.ProcessID = cut(n.Kind, maxNameBytes), cut(n.ID, maxNameBytes)
	}
	if parent := span.Parent().SpanID(); parent.IsValid() {
		d.ParentID = parent.String()
	}
	scope := span.InstrumentationScope()
	d.Scope = scopeJSON{room.text(scope.Name), room.text(scope.Version), room.text(scope.SchemaURL), room.attributes(scope.Attributes.ToSlice())}
	for i := range span.Events() {
		if i == maxDetails || room.bytes == 0 {
			room.leftOut += len(span.Events()) - i
			break
		}
		event := &span.Events()[i]
		d.Events = append(d.Events, eventJSON{
			event.Time.Add(n.Skew).Sub(start).Nanoseconds(), room.text(event.Name), room.attributes(event.Attributes),
		})
	}
	c.addLinks(d, &room, span.Links())
	d.LeftOut = room.leftOut
	return d
}

func (c *Console) addLinks(d *spanDocument, room *room, links []sdktrace.Link) {
	for i := range links {
		if i == maxDetails || room.bytes == 0 {
			room.leftOut += len(links) - i
			return
		}
		to := &links[i]
		shown := linkJSON{
			TraceID: to.SpanContext.TraceID().String(), SpanID: to.SpanContext.SpanID().String(),
			Known: c.traces.Has(to.SpanContext.TraceID()), Attributes: room.attributes(to.Attributes),
		}
		for _, kv := range to.Attributes {
			if kv.Key == keys.LinkReason {
				shown.Reason = cut(kv.Value.AsString(), maxNameBytes)
			}
		}
		d.Links = append(d.Links, shown)
	}
}

// room is what there is room for in an answer.
type room struct {
	bytes   int
	leftOut int
}

// text returns s, cut to what there is room for.
func (r *room) text(s string) string {
	s = cut(s, min(maxValueBytes, r.bytes))
	r.bytes = max(0, r.bytes-len(s))
	return s
}

// attributes never returns nil, which JSON has another form for.
func (r *room) attributes(from []attribute.KeyValue) [][2]string {
	shown := make([][2]string, 0, min(len(from), maxDetails))
	for i, kv := range from {
		if i == maxDetails || r.bytes == 0 {
			r.leftOut += len(from) - i
			break
		}
		shown = append(shown, [2]string{r.text(string(kv.Key)), r.text(kv.Value.String())})
	}
	return shown
}
