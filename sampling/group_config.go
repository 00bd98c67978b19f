// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import "fmt"

// GroupConfig says how many recipients of a fan-out are sampled. The zero value is the
// default: [DefaultCurve], and no limits.
type GroupConfig struct {
	// Curve gives the share by the size of the fan-out.
	Curve Curve `json:"curve"`
	// MaxSpans limits the number of recipients that are sampled in one fan-out. By
	// default there is no limit.
	MaxSpans int `json:"max_spans,omitempty"`
	// SpansPerSecond is how many recipients fan-outs sample per second, on average. Where
	// the curve would have them sample more, they sample fewer, and each stands for more.
	// By default there is no limit.
	SpansPerSecond float64 `json:"spans_per_second,omitempty"`
	// MaxSpansPerSecond is the last resort. While more recipients are sampled per second,
	// fan-outs sample nobody. Estimates lose those fan-outs, so it should be well above
	// SpansPerSecond, and must not be below. By default there is no limit.
	MaxSpansPerSecond float64 `json:"max_spans_per_second,omitempty"`
}

// Validate returns an error that wraps [ErrConfig] if c makes no sense. Whatever takes
// a GroupConfig refuses the same.
func (c GroupConfig) Validate() error {
	if err := validateLimit("max_spans", float64(c.MaxSpans)); err != nil {
		return err
	}
	return validateRates(c.SpansPerSecond, c.MaxSpansPerSecond)
}

func validateRates(target, most float64) error {
	if err := validateLimit("spans_per_second", target); err != nil {
		return err
	}
	if err := validateLimit("max_spans_per_second", most); err != nil {
		return err
	}
	if most > 0 && most < target {
		return fmt.Errorf("%w: max_spans_per_second, %v, is below spans_per_second, %v", ErrConfig, most, target)
	}
	return nil
}
