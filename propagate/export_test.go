// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

// Distinct sets each figure of c to a number of its own, none of them zero, and
// returns them.
func Distinct(c *Counters) Counts {
	c.malformed.Store(11)
	c.traceStateRefused.Store(12)
	c.traceStateCut.Store(13)
	c.baggageRefused.Store(14)
	c.baggageDropped.Store(15)
	c.unsampledCarried.Store(16)
	c.unsampledDropped.Store(17)
	c.boundaryLinked.Store(18)
	c.boundaryIgnored.Store(19)
	return c.Counts()
}
