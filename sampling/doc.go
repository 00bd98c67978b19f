// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package sampling decides which recipients of a fan-out keep the trace, and
// says what each of those stands for.
//
// Tracing every recipient of a message to ten thousand sessions costs more
// than delivering it, and shows the same thing ten thousand times. A [GroupConfig]
// gives the share of recipients to trace by the size of the fan-out; its
// [GroupConfig.Plan] chooses that many of them at random:
//
//	plan := sampling.GroupConfig{}.Plan(10_000, nil)
//	plan.Sampled             // 10 positions, ascending
//	plan.Recipient(0).Weight // 1,000: each stands for that many recipients
//
// # Unbiased
//
// Plan rounds the expected number k̄ = N·p(N) up or down at random so that its
// mean is k̄, then chooses that many distinct recipients, each set equally
// likely (simple random sampling without replacement). Weighted by what each
// stands for (waybill.fanout.weight), a sum over the chosen is an unbiased estimate of the sum over
// all (Horvitz and Thompson, 1952). The choice never looks at a trace ID, so it
// is independent of every sampler that does.
//
// # More than one fan-out
//
// A [Planner] plans in view of the others. Where recipients are relays that fan
// out themselves, [Planner.Relays] plans once for all final recipients and gives
// each relay its share, so that the spans at the end are never
// more than planned, and the weights as exact as for one fan-out. A budget holds
// for the next fan-out of the relay; one that fans its message out twice uses it
// twice.
//
// A [Rate] keeps the fan-outs of a group, and the fan-outs of all groups to
// processes of a kind ([KindConfig], [Limit]), to a number of spans per second, by
// scaling k̄ before the choice, from the load of the past. The limit of a kind thins
// out the chosen of that kind, and no others, who are the same as without it. The last
// resort of either chooses nobody while there are far too many, and says so
// ([Plan.Shed]).
//
// What a message from another program says is bounded by what this one would do by
// itself: its budget is no way around a curve, a rate or a cap, and makes a fan-out choose
// no more than one recipient above what it would choose without. Its weight and depth change what spans say,
// and no choice; do not read them from whom you do not trust (package propagate's
// boundaries).
//
// Where nobody knows how many recipients there will be, a [Stream] chooses.
//
// # How the weight travels
//
// As a member of the tracestate, called waybill: there it is bound to its trace,
// crosses boundaries, survives parent-based samplers, and ends where a new trace
// begins. OpenTelemetry's own statement of a sampling probability, the threshold
// in its member, is taken out where it no longer holds, and made right where a
// recipient begins a trace of its own.
//
// # Cost and concurrency
//
// A plan costs time and memory in proportion to the number chosen, whatever the
// size of the fan-out. Types are values, immutable once made, and safe for
// concurrent use, but for [Rate] and [Control], which are shared and safe, and
// [Stream], which is for one goroutine at a time. A random source handed in is
// used only during the call, by a Stream as long as that is.
package sampling
