// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package planning chooses which recipients of a fan-out are sampled, and says what each
// of those stands for.
//
// # Unbiased
//
// A [Planner] rounds the expected number k̄ = N·p(N) up or down at random so that its mean
// is k̄, then chooses that many distinct recipients, each set equally likely (simple
// random sampling without replacement). Weighted by what each stands for
// ([Plan.Recipient]), a sum over those sampled is an unbiased estimate of the sum over
// all (Horvitz and Thompson, 1952). The choice never looks at a trace ID, so it is
// independent of every sampler that does.
//
// # More than one fan-out
//
// Where recipients are relays that fan out themselves, [Planner.Relays] plans once for
// all final recipients and gives each relay its share, so that the spans at the end are
// never more than planned, and the weights as exact as for one fan-out. A budget holds
// for the next fan-out of the relay; one that fans its message out twice uses it twice.
//
// A rate (package spanrate) keeps the fan-outs of a group, and the fan-outs of all groups
// to processes of a kind ([Limit]), to a number of spans per second, by scaling k̄ before
// the choice, from the load of the past. The limit of a kind thins out those sampled of
// that kind, and no others, who are the same as without it. The last resort of either
// samples nobody while there are far too many, and says so ([Plan.Shed]).
//
// What a message from another program says is bounded by what this one would do by
// itself: its budget is no way around a curve, a rate or a cap, and makes a fan-out sample
// no more than one recipient above what it would without. Its weight and depth change
// what spans say, and no choice.
//
// Where nobody knows how many recipients there will be, a [Stream] chooses.
//
// # Cost and concurrency
//
// A plan costs time and memory in proportion to the number sampled, whatever the size of
// the fan-out. Types are values, immutable once made, and safe for concurrent use, but for
// [Stream], which is for one goroutine at a time.
package planning
