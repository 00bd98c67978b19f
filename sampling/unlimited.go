// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"fmt"
	"math"
)

// Unlimited lifts a limit, in every number of a [Config] that limits something. Zero
// means the default there, which its documentation tells and which may be no limit
// either. Other negative numbers are refused. In JSON the numbers are the same, and what
// is left out is zero.
const Unlimited = -1

// validateLimit returns an error if limit is neither a number of things, nor [Unlimited].
func validateLimit(name string, limit float64) error {
	if math.IsNaN(limit) || math.IsInf(limit, 0) || limit < 0 && limit != Unlimited {
		return fmt.Errorf("%w: %s is %v", ErrConfig, name, limit)
	}
	return nil
}
