// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package contexts

import (
	"context"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/owner"
)

// Owner is the process that a handler's context belongs to.
type Owner interface {
	// Ended reports whether the contexts of the owner have ended. Once they have, they
	// remain so.
	Ended() bool
	// SentAt returns when the message in hand was sent, as a reading of package clock.
	// It reports false if there is none.
	SentAt() (reading int64, ok bool)
	// Yield lets others run while the owner's handler, which calls it, waits.
	Yield()
}

// OwnerKey is the key under which the context of an [Owner] holds the owner. For all
// other keys, the context returns the values of [Base]. The owner implements [owner.Named].
type OwnerKey = owner.Key

// OwnerOf returns the owner of ctx, or of the context that ctx is derived from. It
// returns nil if there is none, and if ctx is nil.
func OwnerOf(ctx context.Context) Owner {
	if ctx == nil {
		return nil
	}
	found, _ := ctx.Value(OwnerKey{}).(Owner)
	return found
}

// Base returns the context whose values an owner's context has. It is the context of an
// untraced message.
func Base() context.Context { return header.Untraced(context.Background()) }
