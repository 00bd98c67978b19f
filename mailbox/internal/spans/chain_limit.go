// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package spans

import (
	"cmp"
	"time"

	"github.com/waybill-go/waybill/internal/header"
)

// ChainLimit bounds the chains of messages that share a trace: without it, a process
// that sends to itself would make one that never ends. Zero means 256 hops and 30
// minutes; less means no limit.
type ChainLimit struct {
	Hops int
	Age  time.Duration
}

func (l ChainLimit) withDefaults() ChainLimit {
	return ChainLimit{cmp.Or(l.Hops, 256), cmp.Or(l.Age, 30*time.Minute)}
}

func (l ChainLimit) exceeded(h *header.Header) bool {
	return l.Hops > 0 && h.Hops() > l.Hops || l.Age > 0 && h.Age() > l.Age
}
