// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package broadcast

import "github.com/waybill-go/waybill/internal/observe"

// Counts are what became of the broadcasts of one name.
type Counts struct {
	Broadcasts, Delivered, Refused, Sampled uint64
}

// Metrics are the metrics of Counts.
var Metrics = []observe.Field[Counts]{
	observe.NewField("waybill.fanout.broadcasts", "{broadcast}", "Broadcasts that have ended, parts included.",
		func(c *Counts) *uint64 { return &c.Broadcasts }),
	observe.NewField("waybill.fanout.delivered", "{recipient}", "Recipients that did not refuse.",
		func(c *Counts) *uint64 { return &c.Delivered }),
	observe.NewField("waybill.fanout.refused", "{recipient}", "Recipients that refused.",
		func(c *Counts) *uint64 { return &c.Refused }),
	observe.NewField("waybill.fanout.sampled", "{recipient}", "Recipients that were sampled.",
		func(c *Counts) *uint64 { return &c.Sampled }),
}
