// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"runtime"
	"strconv"
	"time"
)

// table prints the figures for people, row by row. It keeps the first error in err.
type table struct {
	w   io.Writer
	err error
}

func (t *table) printf(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format, args...)
	}
}

const tableLayout = "%-14s %-14s %10s %20s %10s %10s %8s\n"

func (t *table) heading(h host) {
	t.printf("%s %s/%s, %s, GOMAXPROCS %d, commit %s\n\n",
		h.goVersion, runtime.GOOS, runtime.GOARCH, h.cpu, h.procs, h.commit)
	t.printf(tableLayout, "row", "variant", "ns/op", "min..max", "allocs/op", "B/op", "to raw")
}

func (t *table) row(r result) {
	t.printf("\n%s: %s (%d rounds)\n", r.row.name, r.row.about, len(r.rounds))
	for _, v := range r.row.variants {
		s := r.summary(v.name)
		t.printf(tableLayout, r.row.name, s.name,
			nanoseconds(s.median), nanoseconds(s.min)+".."+nanoseconds(s.max), number(s.allocs), number(s.size),
			number(r.toRaw(v.name)))
	}
}

func (t *table) ratios(results []result) {
	const layout = "%-42s %10s %10s   %s\n"
	t.printf("\n"+layout, "ratio or figure (median over the rounds)", "value", "target", "met")
	for _, r := range results {
		for _, f := range r.findings() {
			met := "no"
			if f.ok {
				met = "yes"
			}
			t.printf(layout, f.name, number(f.value), "<= "+number(f.target), met)
		}
	}
}

// nanoseconds prints a time in nanoseconds, or in milliseconds if it is at least one.
func nanoseconds(v float64) string {
	if v < float64(time.Millisecond) {
		return number(v)
	}
	return number(v/float64(time.Millisecond)) + " ms"
}

// number prints three digits, or all digits before the point if these are more.
func number(v float64) string {
	switch magnitude := max(v, -v); {
	case magnitude >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case magnitude >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case magnitude >= 0.9995 || v == 0:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
}
