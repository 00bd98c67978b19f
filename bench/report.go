// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io"
)

// report holds the figures in the form that programs read.
type report struct {
	Go      string         `json:"go"`
	CPU     string         `json:"cpu"`
	Commit  string         `json:"commit"`
	Results []reportResult `json:"results"`
	Ratios  []reportRatio  `json:"ratios"`
}

// reportResult is a variant of a row, called "row/variant".
type reportResult struct {
	Name     string  `json:"name"`
	MedianNS float64 `json:"median_ns"`
	MinNS    float64 `json:"min_ns"`
	MaxNS    float64 `json:"max_ns"`
	Allocs   float64 `json:"allocs"`
	Bytes    float64 `json:"bytes"`
	Runs     int     `json:"runs"`
}

type reportRatio struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Target float64 `json:"target"`
	OK     bool    `json:"ok"`
}

func newReport(h host, results []result) report {
	rep := report{Go: h.goVersion, CPU: h.cpu, Commit: h.commit, Results: []reportResult{}, Ratios: []reportRatio{}}
	for _, r := range results {
		for _, v := range r.row.variants {
			s := r.summary(v.name)
			rep.Results = append(rep.Results, reportResult{
				Name: r.row.name + "/" + s.name, MedianNS: s.median, MinNS: s.min, MaxNS: s.max,
				Allocs: s.allocs, Bytes: s.size, Runs: s.runs,
			})
		}
		for _, f := range r.findings() {
			rep.Ratios = append(rep.Ratios, reportRatio{f.name, f.value, f.target, f.ok})
		}
	}
	return rep
}

func (r report) write(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}
