// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package sampling says how many recipients of a fan-out are sampled, which messages to
// processes are traced at all, and lets a program change both while it runs.
//
// Tracing every recipient of a message to ten thousand sessions costs more than
// delivering it, and shows the same thing ten thousand times. A [GroupConfig] gives the
// share of recipients to sample by the size of the fan-out, and bounds on them. The
// groups of package mailbox choose that many at random:
//
//	atMost50 := mailbox.WithSampling(sampling.GroupConfig{MaxSpans: 50})
//	sessions, err := mailbox.NewGroup[Event](sys, "sessions", atMost50)
//
// # Unbiased
//
// Of N recipients k̄ are sampled on average, as the [Curve] says. That number is rounded
// down or up at random so that its mean is k̄, and that many distinct recipients are
// chosen, each set equally likely. Each of their spans says how many recipients it
// stands for (waybill.fanout.weight). Weighted by that, a sum over those sampled is an unbiased
// estimate of the sum over all (Horvitz and Thompson, 1952); package
// [github.com/waybill-go/waybill/sampling/estimate] has estimates and says how far off
// they may be. The choice never looks at a trace ID, so it is independent of every
// sampler that does.
//
// Relays that hand a message on to others share one budget, which is planned once for
// all recipients at the end: there are never more spans than planned.
//
// # Rates
//
// A group, and a kind of processes, may have a rate: a number of spans per second, on
// average. Where fan-outs would sample more, from the load of the last 10 seconds, fewer
// are sampled and each stands for more, so that estimates stay unbiased. In any stretch
// of time fan-outs are planned to sample no more on average than the rate for as long as
// that stretch and 10·(1 + ln m) seconds, where m is how many times the rate the load is
// at most, at least 1. The rate of a kind holds back the recipients of that kind, and no
// others. The last resort of either, a cap, samples nobody while there are far too many,
// and says so (waybill.fanout.shed).
//
// # Live control
//
// A [Control] holds a [Config] and changes it at one moment, from code or over HTTP: it
// is an [http.Handler] that shows and takes JSON.
//
//	control, err := sampling.NewControl(sampling.Config{})
//	sys := mailbox.NewSystem(mailbox.WithControl(control))
//	http.Handle("/tracing", control)
//
// In a Config, and in all that it holds, zero means the default and [Unlimited] no limit,
// in Go and in JSON.
//
// # How the weight travels
//
// As a member of the tracestate, called waybill: there it is bound to its trace, crosses
// boundaries, survives parent-based samplers, and ends where a new trace begins.
// OpenTelemetry's own statement of a sampling probability, the threshold in its member,
// is taken out where it no longer holds, and made right where a recipient begins a trace
// of its own.
//
// What a message from another program says of fan-outs is bounded by what this one would
// do by itself: it is no way around a curve, a rate or a cap, and makes a fan-out sample
// no more than one recipient above what it would sample without. Its weight changes what
// spans say, and no choice; do not read it from whom you do not trust (package
// propagate's boundaries).
//
// # Cost and concurrency
//
// A choice costs time and memory in proportion to the number sampled, whatever the size
// of the fan-out. Types are values, immutable once made, and safe for concurrent use, but
// for [Control], which is shared and safe.
package sampling
