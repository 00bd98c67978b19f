// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/traces"
	"github.com/waybill-go/waybill/internal/traces/explain"
	"github.com/waybill-go/waybill/internal/traces/otlpjson"
)

// traceDocument is a trace as it is drawn. Times that end in _ns are nanoseconds since
// Start, by the clock of the topmost span.
type traceDocument struct {
	TraceID     string          `json:"trace_id"`
	Start       time.Time       `json:"start"`
	DurationNS  int64           `json:"duration_ns"`
	LeftOut     int             `json:"left_out"`
	Incomplete  bool            `json:"incomplete"` // more spans than LeftOut may be missing
	Services    []string        `json:"services"`   // in the order in which they come in Spans
	Explanation explanationJSON `json:"explanation"`
	Spans       []spanJSON      `json:"spans"` // depth first
}

// explanationJSON says why a trace took as long as it did.
type explanationJSON struct {
	Sentence string     `json:"sentence"`
	Path     []stepJSON `json:"path"`
}

type stepJSON struct {
	SpanID string `json:"span_id"`
	FromNS int64  `json:"from_ns"`
	ToNS   int64  `json:"to_ns"`
	What   string `json:"what"` // work, wait, network or gap
}

// spanJSON is what is drawn of a span.
type spanJSON struct {
	SpanID     string   `json:"span_id"`
	ParentID   string   `json:"parent_id"` // empty for a root
	Depth      int      `json:"depth"`
	Service    string   `json:"service"`
	Name       string   `json:"name"`
	Kind       string   `json:"kind"`
	FromNS     int64    `json:"from_ns"`
	DurationNS int64    `json:"duration_ns"`
	WaitNS     int64    `json:"wait_ns"`    // directly before the span
	NetworkNS  int64    `json:"network_ns"` // before that
	Weight     *float64 `json:"weight"`     // null if the span does not say
	Late       string   `json:"late"`       // the reason; empty if it is not late
	Error      bool     `json:"error"`
	Links      int      `json:"links"`
	Events     int      `json:"events"`
	Process    string   `json:"process"` // its kind and its ID

	ParentMissing bool  `json:"parent_missing,omitempty"` // it has a parent, which is not here
	Unhandled     bool  `json:"unhandled,omitempty"`      // its message was never handled, and it is the wait itself
	Restarted     bool  `json:"restarted,omitempty"`      // its process had restarted directly before
	SkewNS        int64 `json:"skew_ns,omitempty"`        // what was added to its own times
}

func (c *Console) serveTrace(w http.ResponseWriter, r *http.Request) {
	if found, ok := c.findTrace(w, r); ok {
		answer(w, newTraceDocument(&found, explain.FromTimings(c.config.Timings)))
	}
}

func (c *Console) serveTraceFile(w http.ResponseWriter, r *http.Request) {
	found, ok := c.findTrace(w, r)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", "trace-"+found.ID.String()+".json"))
	_ = otlpjson.Write(w, found.Spans) // The client may have gone.
}

// findTrace finds the trace of the path, or answers that it is not there.
func (c *Console) findTrace(w http.ResponseWriter, r *http.Request) (found traces.Trace, ok bool) {
	id, err := trace.TraceIDFromHex(r.PathValue("trace"))
	if err != nil {
		fail(w, http.StatusBadRequest, "the ID of a trace has 32 digits of hexadecimal numbers, which are not all zero")
		return found, false
	}
	found, ok = c.traces.Trace(id)
	if !ok {
		fail(w, http.StatusNotFound, "this trace is not kept, or no longer")
	}
	return found, ok
}

func newTraceDocument(found *traces.Trace, did explain.Activity) *traceDocument {
	why := explain.Part(found.Spans, found.LeftOut, did)
	nodes := explain.Tree(found.Spans)
	start, end := why.Start, why.Start.Add(why.Duration)
	for i := range nodes {
		if begin := began(&nodes[i]); begin.Before(start) {
			start = begin
		}
		if nodes[i].End.After(end) {
			end = nodes[i].End
		}
	}
	d := &traceDocument{
		TraceID: found.ID.String(), Start: moment(start), DurationNS: end.Sub(start).Nanoseconds(),
		LeftOut: found.LeftOut, Incomplete: found.Incomplete,
		Services:    []string{},
		Explanation: explanationJSON{Sentence: why.Sentence, Path: make([]stepJSON, 0, len(why.Path))},
		Spans:       make([]spanJSON, 0, len(nodes)),
	}
	for _, step := range why.Path {
		d.Explanation.Path = append(d.Explanation.Path, stepJSON{
			step.Span.String(), step.From.Sub(start).Nanoseconds(), step.To.Sub(start).Nanoseconds(), step.What.String(),
		})
	}
	known := map[string]bool{}
	for i := range nodes {
		span := newSpanJSON(&nodes[i], start)
		if !known[span.Service] {
			known[span.Service] = true
			d.Services = append(d.Services, span.Service)
		}
		d.Spans = append(d.Spans, span)
	}
	return d
}

// began returns when the message of a span was sent, or when the span started if it has
// none.
func began(n *explain.Node) time.Time {
	if n.Unhandled {
		return n.Start
	}
	return n.Start.Add(-n.Queue - n.Network)
}

func newSpanJSON(n *explain.Node, start time.Time) spanJSON {
	span := n.Span
	s := spanJSON{
		SpanID: span.SpanContext().SpanID().String(), Depth: n.Depth,
		Service: cut(n.Origin, maxNameBytes), Name: cut(span.Name(), maxNameBytes), Kind: span.SpanKind().String(),
		FromNS: n.Start.Sub(start).Nanoseconds(), DurationNS: n.End.Sub(n.Start).Nanoseconds(),
		WaitNS: n.Queue.Nanoseconds(), NetworkNS: n.Network.Nanoseconds(),
		Late: cut(n.Late, maxNameBytes), Error: n.Failed, Links: len(span.Links()), Events: len(span.Events()),
		ParentMissing: n.ParentMissing, Unhandled: n.Unhandled, Restarted: n.Restarted, SkewNS: n.Skew.Nanoseconds(),
	}
	if parent := span.Parent().SpanID(); parent.IsValid() {
		s.ParentID = parent.String()
	}
	if n.Weight >= 0 {
		s.Weight = &n.Weight
	}
	if n.Kind != "" {
		s.Process = cut(n.Kind+" "+n.ID, maxNameBytes)
	}
	return s
}
