// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlpreceive

import "time"

// SetPatience sets for how long a request may wait, and for how long it may arrive.
func (r *Receiver) SetPatience(wait, arrival time.Duration) { r.maxWait, r.maxArrival = wait, arrival }
