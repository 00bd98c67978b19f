// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package patterns has the code of docs/channels.md, which shows how a service lets
// traces travel through its channels.
package patterns

// Order is the message of most channels.
type Order struct {
	Item  string
	Price int // in cents
}

// Refund is another message of some channels.
type Refund struct{ Item string }
