// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command checkreport reads the report that the guild example writes, and fails unless
// it holds the expected number of whole traces. A whole trace has one root, each other
// span has its parent in the trace, and there are spans of all services.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
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
	Service  string `json:"service"`
	Name     string `json:"name"`
	SpanID   string `json:"span_id"`
	ParentID string `json:"parent_id"`
}

func main() {
	traces := flag.Int("traces", 10, "how many traces the report must hold")
	services := flag.Int("services", 3, "how many services each trace must pass")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: checkreport [flags] FILE")
		os.Exit(2)
	}
	if err := check(flag.Arg(0), *traces, *services); err != nil {
		fmt.Fprintln(os.Stderr, "checkreport:", err)
		os.Exit(1)
	}
}

func check(file string, traces, services int) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var r report
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if len(r.Traces) != traces {
		return fmt.Errorf("%s holds %d traces, want %d", file, len(r.Traces), traces)
	}
	seen := make(map[string]bool)
	spans := 0
	for _, t := range r.Traces {
		if seen[t.TraceID] {
			return fmt.Errorf("trace %s is in the report twice", t.TraceID)
		}
		seen[t.TraceID] = true
		if err := t.whole(services); err != nil {
			return fmt.Errorf("trace %s: %w", t.TraceID, err)
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
