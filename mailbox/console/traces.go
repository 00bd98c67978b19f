// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/waybill-go/waybill/internal/traces"
)

const (
	defaultListed   = 100
	maxListed       = 500
	maxFilterBytes  = 256 // of a text to find
	maxNameBytes    = 200 // of a name in a list
	maxListServices = 32  // of one trace in a list
)

// traceList is a list of traces as JSON.
type traceList struct {
	Traces []traceSummary `json:"traces"`
	More   bool           `json:"more"`
}

type traceSummary struct {
	TraceID     string    `json:"trace_id"`
	Name        string    `json:"name"`
	Service     string    `json:"service"`
	Services    []string  `json:"services"`
	Start       time.Time `json:"start"`
	DurationNS  int64     `json:"duration_ns"`
	Spans       int       `json:"spans"`
	LeftOut     int       `json:"left_out"`
	Errors      int       `json:"errors"`
	Late        []string  `json:"late"`
	Kept        string    `json:"kept"`
	RootMissing bool      `json:"root_missing"`
	Incomplete  bool      `json:"incomplete"` // spans may have been dropped
}

func (c *Console) serveTraces(w http.ResponseWriter, r *http.Request) {
	filter, err := readFilter(r.URL.Query())
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	answer(w, c.list(filter))
}

func (c *Console) serveTraceEvents(w http.ResponseWriter, r *http.Request) {
	filter, err := readFilter(r.URL.Query())
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	c.serveEvents(w, r, "traces", c.traces.Watch, func() any { return c.list(filter) })
}

// list finds traces.
func (c *Console) list(filter traces.Filter) traceList {
	found, more := c.traces.Find(filter)
	list := traceList{Traces: make([]traceSummary, 0, len(found)), More: more}
	for i := range found {
		list.Traces = append(list.Traces, summary(&found[i]))
	}
	return list
}

func summary(s *traces.Summary) traceSummary {
	return traceSummary{
		TraceID:     s.ID.String(),
		Name:        cut(s.Name, maxNameBytes),
		Service:     cut(s.Service, maxNameBytes),
		Services:    cutAll(s.Services[:min(len(s.Services), maxListServices)]),
		Start:       moment(s.Start),
		DurationNS:  s.Duration.Nanoseconds(),
		Spans:       s.Spans,
		LeftOut:     s.LeftOut,
		Errors:      s.Errors,
		Late:        cutAll(s.Late),
		Kept:        string(s.Kept),
		RootMissing: s.RootMissing,
		Incomplete:  s.Incomplete,
	}
}

// cutAll never returns nil, which JSON has another form for.
func cutAll(texts []string) []string {
	short := make([]string, 0, len(texts))
	for _, text := range texts {
		short = append(short, cut(text, maxNameBytes))
	}
	return short
}

// readFilter reads which traces are asked for.
func readFilter(query url.Values) (traces.Filter, error) {
	filter := traces.Filter{Limit: defaultListed}
	for name, values := range query {
		value := values[0]
		if len(values) > 1 {
			return filter, fmt.Errorf("%s is there more than once", cut(name, maxFilterBytes))
		}
		if len(value) > maxFilterBytes {
			return filter, fmt.Errorf("%s has more than %d bytes", cut(name, maxFilterBytes), maxFilterBytes)
		}
		if err := setFilter(&filter, name, value); err != nil {
			return filter, err
		}
	}
	return filter, nil
}

func setFilter(filter *traces.Filter, name, value string) error {
	var err error
	switch name {
	case "service":
		filter.Service = value
	case "name":
		filter.Name = value
	case "late":
		filter.Late = value
	case "failed":
		if filter.Failed, err = strconv.ParseBool(value); err != nil {
			return errors.New("failed is true or false")
		}
	case "at_least":
		if filter.AtLeast, err = time.ParseDuration(value); err != nil || filter.AtLeast < 0 {
			return fmt.Errorf("at_least is a duration such as 50ms, not %q", value)
		}
	case "limit":
		if filter.Limit, err = strconv.Atoi(value); err != nil || filter.Limit < 1 || filter.Limit > maxListed {
			return fmt.Errorf("limit is a number from 1 to %d", maxListed)
		}
	default:
		return fmt.Errorf("there is no parameter %q", cut(name, maxFilterBytes))
	}
	return nil
}
