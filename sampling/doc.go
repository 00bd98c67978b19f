// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package sampling decides which recipients of a fan-out keep the trace, and
// says what each of those stands for.
//
// Tracing every recipient of a message to ten thousand sessions costs more
// than delivering it, and shows the same thing ten thousand times. A [Config]
// gives the share of recipients to trace by the size of the fan-out; its
// [Config.Plan] chooses that many of them at random:
//
//	plan := sampling.Config{}.Plan(10_000, nil)
//	plan.Chosen   // 10 positions, ascending
//	plan.Weight() // 1,000: each stands for that many recipients
//
// # Unbiased
//
// Plan rounds the expected number k̄ = N·p(N) up or down at random so that its
// mean is k̄, then chooses that many distinct recipients, each set equally
// likely (simple random sampling without replacement). Weighted by
// [Plan.Weight], a sum over the chosen is an unbiased estimate of the sum over
// all (Horvitz and Thompson, 1952). The choice never looks at a trace ID, so it
// is independent of every sampler that does.
//
// # How the weight travels
//
// As a member of the tracestate ([Fanout]): there it is bound to its trace,
// crosses borders, survives parent-based samplers, and ends where a new trace
// begins.
//
// # Cost and concurrency
//
// A plan costs time and memory in proportion to the number chosen, whatever the
// size of the fan-out. All types are values, immutable once made, and safe for
// concurrent use; a random source handed in is used only during the call.
package sampling
