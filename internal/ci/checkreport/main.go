// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command checkreport reads the report that the guild example writes, and fails unless
// it holds the expected number of whole traces. A whole trace has one root, each other
// span has its parent in the trace, and there are spans of all services. On request, each
// trace must also reach the sessions of so many nodes, and its weights sum to their number.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
)

type report struct {
	Traces []tracedPost `json:"traces"`
}

type tracedPost struct {
	TraceID string `json:"trace_id"`
	Spans   []span `json:"spans"`
}

type span struct {
	Service    string         `json:"service"`
	Instance   string         `json:"instance"`
	Name       string         `json:"name"`
	SpanID     string         `json:"span_id"`
	ParentID   string         `json:"parent_id"`
	Attributes map[string]any `json:"attributes"`
}

// wanted is what the report must hold.
type wanted struct{ traces, services, nodes, recipients int }

func main() {
	var want wanted
	flag.IntVar(&want.traces, "traces", 10, "how many traces the report must hold")
	flag.IntVar(&want.services, "services", 3, "how many services each trace must pass")
	flag.IntVar(&want.nodes, "nodes", 0, "how many session nodes each trace must reach; 0 for any number")
	flag.IntVar(&want.recipients, "recipients", 0, "how many sessions the sampled ones of each trace must stand for; 0 for any number")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: checkreport [flags] FILE")
		os.Exit(2)
	}
	if err := check(flag.Arg(0), want); err != nil {
		fmt.Fprintln(os.Stderr, "checkreport:", err)
		os.Exit(1)
	}
}

func check(file string, want wanted) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var r report
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if len(r.Traces) != want.traces {
		return fmt.Errorf("%s holds %d traces, want %d", file, len(r.Traces), want.traces)
	}
	seen := make(map[string]bool)
	spans := 0
	for _, t := range r.Traces {
		if seen[t.TraceID] {
			return fmt.Errorf("trace %s is in the report twice", t.TraceID)
		}
		seen[t.TraceID] = true
		for _, err := range []error{t.whole(want.services), t.reaches(want.nodes), t.standsFor(want.recipients)} {
			if err != nil {
				return fmt.Errorf("trace %s: %w", t.TraceID, err)
			}
		}
		spans += len(t.Spans)
	}
	fmt.Printf("checkreport: %d whole traces with %d spans\n", len(r.Traces), spans)
	return nil
}

// whole returns nil if the trace is one tree with spans of that many services.
func (t tracedPost) whole(services int) error {
	known := make(map[string]bool, len(t.Spans))
	passed := make(map[string]bool)
	for _, s := range t.Spans {
		known[s.SpanID] = true
		passed[s.Service] = true
	}
	if len(passed) != services {
		return fmt.Errorf("passes %d services, want %d", len(passed), services)
	}
	roots := 0
	for _, s := range t.Spans {
		switch {
		case s.ParentID == "":
			roots++
		case !known[s.ParentID]:
			return fmt.Errorf("%s span %q is under %s, which is not in the trace", s.Service, s.Name, s.ParentID)
		}
	}
	if roots != 1 {
		return fmt.Errorf("has %d roots, want 1", roots)
	}
	return nil
}

// The process kind of sessions, and the attributes that their spans have.
const (
	session     = "session"
	processKind = "waybill.process.kind"
	lateReason  = "waybill.late.reason"
	probability = "waybill.fanout.probability"
	weight      = "waybill.fanout.weight"
)

// sampled returns the spans of the sessions that were sampled. Those that are there only
// because they were slow are not among them.
func (t tracedPost) sampled() (all []span) {
	for _, s := range t.Spans {
		_, ok := s.Attributes[probability]
		if ok && s.Attributes[processKind] == session {
			all = append(all, s)
		}
	}
	return all
}

// reaches returns nil if sessions of so many session nodes were sampled, whose names are
// node-1, node-2 and so on.
func (t tracedPost) reaches(nodes int) error {
	reached := make(map[string]bool)
	for _, s := range t.sampled() {
		reached[s.Instance] = true
	}
	for n := 1; n <= nodes; n++ {
		if name := fmt.Sprintf("node-%d", n); !reached[name] {
			return fmt.Errorf("no session of %s was sampled, but some of %v", name, reached)
		}
	}
	return nil
}

// standsFor returns nil if the sampled sessions stand for so many, each for as many as the
// others. One that was slow says nothing of that, because it is counted for itself.
func (t tracedPost) standsFor(recipients int) error {
	const tolerance = 1e-9 // of a sum of floating-point numbers
	if recipients == 0 {
		return nil
	}
	all := t.sampled()
	sum, n := 0.0, 0
	for _, s := range all {
		if _, late := s.Attributes[lateReason]; late {
			continue
		}
		w, ok := s.Attributes[weight].(float64)
		if !ok {
			return fmt.Errorf("%s span %q has no weight", s.Service, s.Name)
		}
		sum += w
		n++
	}
	if n == 0 {
		return fmt.Errorf("none of %d sampled sessions has a weight", len(all))
	}
	if got := sum / float64(n) * float64(len(all)); math.Abs(got-float64(recipients)) > tolerance*float64(recipients) {
		return fmt.Errorf("%d sampled sessions stand for %v, want %d", len(all), got, recipients)
	}
	return nil
}
