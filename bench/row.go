// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import "time"

// row is one kind of work, done by several variants.
type row struct {
	name  string
	about string
	// main rows are measured with -quick too.
	main bool
	// size is the number of operations in one go: the recipients of a fan-out,
	// one for a send.
	size int
	// once makes a batch a single go, for what is to be seen one by one.
	once     bool
	memory   memory
	variants []variant
	ratios   []ratio
}

// memory is what a row says of it.
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

// contender is a variant, set up. The harness calls its functions from one
// goroutine at a time; those that may be nil are nil where there is nothing to do.
type contender struct {
	// run does the work a number of times and returns when its effect is
	// complete. It is all that is timed.
	run func(times int) error
	// timed is how much time all runs so far have spent on what the row is about,
	// where that is only a part of what they do. May be nil.
	timed func() time.Duration
	// verify makes sure of an effect that run cannot wait for. May be nil.
	verify func() error
	// handled is the number of messages handled so far: one for each operation.
	handled func() int
	// tear gives everything back and returns when all goroutines have ended.
	tear func() error
	// traces counts the spans ended so far. May be nil.
	traces *telemetry
	// spans is how many spans each go must make, least and most.
	spans [2]int
}

// ratio is a figure with a target: ours must not be above it.
type ratio struct {
	name   string
	target float64
	of     func(round) float64
	// worst makes the worst of the rounds count and not their median.
	worst bool
}

// quotient compares the times of two variants.
func quotient(over, under string, target float64) ratio {
	return ratio{name: over + "/" + under, target: target, of: func(r round) float64 {
		return r[over].ns / r[under].ns
	}}
}
