// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sentinel

import "sync/atomic"

// refused has a cache line of its own, because samplers on all processors write it.
var refused struct {
	_ [64]byte
	atomic.Uint64
	_ [56]byte
}

// Refuse counts a span below a sentinel that a sampler kept from becoming a root.
func Refuse() { refused.Add(1) }

// Refused returns how many there were.
func Refused() uint64 { return refused.Load() }
