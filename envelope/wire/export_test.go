// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"reflect"

	"github.com/waybill-go/waybill/internal/wireform"
)

// Figures are what a [Counters] counts, of which [Counts] is a summary.
type Figures = figures

// ErrTruncated is wrapped by the errors of messages that end too early.
var ErrTruncated = wireform.ErrTruncated

// Figures returns what has been counted so far.
func (c *Counters) Figures() Figures { return c.load() }

// Distinct sets each figure of c to a number of its own, counting from 1 in their
// order, and returns them.
func Distinct(c *Counters) Figures {
	now := reflect.ValueOf(&c.tally.Now).Elem()
	for i := range now.NumField() {
		now.Field(i).SetUint(uint64(i) + 1)
	}
	return c.tally.Now
}
