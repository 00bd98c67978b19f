// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import "reflect"

// Distinct sets each figure of c to a number of its own, counting from 1 in the
// order of [Counts], and returns them.
func Distinct(c *Counters) Counts {
	now := reflect.ValueOf(&c.tally.Now).Elem()
	for i := range now.NumField() {
		now.Field(i).SetUint(uint64(i) + 1)
	}
	return c.tally.Now
}
