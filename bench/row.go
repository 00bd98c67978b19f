// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import "time"

// row is one kind of work that several variants do.
type row struct {
	name  string
	about string
	// main is set if -quick measures the row too.
	main bool
	// size is the number of operations in one go: the recipients of a fan-out,
	// one for a send.
	size int
	// once makes a batch a single go, so that each go has a sample of its own.
	once bool
	// anew sets up each variant again in every round. It is for work whose cost depends on
	// the luck of its set-up: where its memory lies, or how a connection and its goroutines
	// are served. A variant that was set up once would keep its luck.
	anew     bool
	memory   memory
	variants []variant
	ratios   []ratio
}

// memory is which memory a row measures.
type memory int

const (
	allotted memory = iota // what a batch allocates
	retained               // what one go leaves in use, its garbage collected
	taken                  // what is in use right after one go, garbage and all
)

// Names of the variants.
const (
	raw           = "raw"            // goroutines and channels, untraced, or as the row says
	naive         = "naive"          // the same with OpenTelemetry in every message
	ours          = "ours"           // where traces do not come in
	oursUntraced  = "ours-untraced"  // no trace in the sender's context
	oursUnsampled = "ours-unsampled" // an unsampled trace from outside
	oursSampled   = "ours-sampled"   // a sampled span
)

// variant is one way to do a row's work.
type variant struct {
	name string
	set  func(size int) (*contender, error)
}

// fiveWays are the variants of a row of messages.
func fiveWays(
	rawWay, naiveWay func(size int) (*contender, error),
	ourWay func(size int, t tracing) (*contender, error),
) []variant {
	with := func(t tracing) func(int) (*contender, error) {
		return func(size int) (*contender, error) { return ourWay(size, t) }
	}
	return []variant{
		{raw, rawWay},
		{naive, naiveWay},
		{oursUntraced, with(untraced)},
		{oursUnsampled, with(unsampled)},
		{oursSampled, with(sampled)},
	}
}

// contender is a variant that was set up. The harness calls its functions from one
// goroutine at a time. Some of them may be nil, if there is nothing to do.
type contender struct {
	// run does the work a number of times, and returns when its effect is complete.
	// Only run is timed.
	run func(times int) error
	// warm brings about the state in which run is measured, if a single go before does not.
	// May be nil.
	warm func()
	// timed returns how much time all runs so far have spent on the work of the row, if
	// that is only a part of what they do. May be nil.
	timed func() time.Duration
	// verify checks an effect that run cannot wait for. May be nil.
	verify func() error
	// handled returns the number of messages handled so far: one for each operation.
	handled func() int
	// tear releases everything, and returns when all goroutines have ended.
	tear func() error
	// traces counts the spans ended so far. May be nil.
	traces *telemetry
	// spans is how many spans each go must make, at least and at most.
	spans [2]int
}

// ratio is a figure with a target. The figure must not be above its target.
type ratio struct {
	name   string
	target float64
	of     func(round) float64
	// worst takes the worst of the rounds instead of their median.
	worst bool
}

// quotient compares the times of two variants.
func quotient(over, under string, target float64) ratio {
	return ratio{name: over + "/" + under, target: target, of: func(r round) float64 {
		return r[over].ns / r[under].ns
	}}
}
