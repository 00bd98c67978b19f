// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package header

import "time"

// Bounds on where a message can be in a chain. Hops and age stop there, so that
// nothing overflows, however long a chain goes on and whatever a peer claims of it.
const (
	MaxHops = 1 << 30
	MaxAge  = 10 * 365 * 24 * time.Hour
)

// older returns the age of a chain that had that age so much earlier. Both may be
// negative, if a message was said to be sent before its header was made.
func older(age, later time.Duration) time.Duration {
	const far = 1 << 62
	return min(max(age, -far)+min(max(later, -far), far), MaxAge)
}
