// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package patterns is the code of docs/channels.md: what a service with
// channels writes so that traces go through them.
package patterns

// Order is what most of the channels carry.
type Order struct {
	Item  string
	Price int // in cents
}

// Refund is what some of them carry too.
type Refund struct{ Item string }
