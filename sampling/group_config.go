// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"fmt"
	"math"
)

// GroupConfig says how many recipients of a fan-out keep the trace. The zero value
// is the default: [DefaultCurve], no cap and no rate. A [Control] refuses negative
// numbers; where there is none, they mean what zero means.
type GroupConfig struct {
	// Curve gives the share by the size of the fan-out.
	Curve Curve `json:"curve"`
	// MaxSpans caps the number of recipients chosen in one fan-out. Zero
	// means no cap.
	MaxSpans int `json:"max_spans,omitempty"`
	// SpansPerSecond is how many recipients fan-outs choose per second, on
	// average, where the curve would have them choose more. Zero means any
	// number.
	SpansPerSecond float64 `json:"spans_per_second,omitempty"`
	// MaxSpansPerSecond is the last resort: while more are chosen per second,
	// fan-outs choose none. Estimates lose those fan-outs, so it should be well
	// above SpansPerSecond, and a [Control] refuses one that is below. Zero means no
	// cap.
	MaxSpansPerSecond float64 `json:"max_spans_per_second,omitempty"`
}

// Validate returns an error that wraps [ErrSettings] if c makes no sense, as what is
// given c would.
func (c GroupConfig) Validate() error {
	if c.MaxSpans < 0 {
		return fmt.Errorf("%w: max_spans is %d", ErrSettings, c.MaxSpans)
	}
	return validateRates(c.SpansPerSecond, c.MaxSpansPerSecond)
}

func validateRates(target, most float64) error {
	for name, rate := range map[string]float64{"spans_per_second": target, "max_spans_per_second": most} {
		if math.IsNaN(rate) || math.IsInf(rate, 0) || rate < 0 {
			return fmt.Errorf("%w: %s is %v", ErrSettings, name, rate)
		}
	}
	if most > 0 && most < target {
		return fmt.Errorf("%w: max_spans_per_second, %v, is below spans_per_second, %v", ErrSettings, most, target)
	}
	return nil
}
