// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

// Distinct sets each figure of c to a number of its own, counting from 1 in the
// order of [Counts], and returns them.
func Distinct(c *Counters) Counts {
	c.bare.Store(1)
	c.wrapped.Store(2)
	c.refused.Store(3)
	c.truncated.Store(4)
	c.malformed.Store(5)
	c.oversized.Store(6)
	c.unknownVersion.Store(7)
	c.undecodable.Store(8)
	c.traceMalformed.Store(9)
	c.traceStateRefused.Store(10)
	c.chainMalformed.Store(11)
	c.baggageRefused.Store(12)
	c.writtenBare.Store(13)
	c.writtenWrapped.Store(14)
	c.cut.Store(15)
	return c.Counts()
}
