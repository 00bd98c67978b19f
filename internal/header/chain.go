// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package header

import "time"

// Bounds of the hops and the age of a chain. Neither grows beyond its bound, so that
// nothing overflows, however long a chain is and whatever a peer claims.
const (
	MaxHops = 1 << 30
	MaxAge  = 10 * 365 * 24 * time.Hour
)

// older returns age plus later. Both may be negative, if a peer says that a message was
// sent before its header was made.
func older(age, later time.Duration) time.Duration {
	const far = 1 << 62
	return min(max(age, -far)+min(max(later, -far), far), MaxAge)
}
