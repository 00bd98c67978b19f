// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is how long a client waits before it comes back: longer each time, and
// never as long as others who went when it did.
type backoff struct{ wait time.Duration }

const (
	minBackoff = 50 * time.Millisecond
	maxBackoff = 2 * time.Second
)

// pause waits, and reports whether ctx has not ended.
func (b *backoff) pause(ctx context.Context) bool {
	b.wait = min(max(2*b.wait, minBackoff), maxBackoff)
	select {
	case <-time.After(b.wait/2 + rand.N(b.wait)):
		return true
	case <-ctx.Done():
		return false
	}
}
