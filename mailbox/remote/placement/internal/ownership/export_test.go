// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package ownership

// WithoutPatience returns c with members that remove sessions that are silent for half a lease. It is the negative
// control of the model.
func WithoutPatience(c Config) Config {
	c.patience = 2
	return c
}

// NewLease is for tests.
var NewLease = newLease
