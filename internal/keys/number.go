// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package keys

import "go.opentelemetry.io/otel/attribute"

// Number returns the value of an attribute that is a number of either type: what we write as a
// double may come back as an integer from a program in another language. It reports false for
// other values.
func Number(v attribute.Value) (float64, bool) {
	switch v.Type() {
	case attribute.FLOAT64:
		return v.AsFloat64(), true
	case attribute.INT64:
		return float64(v.AsInt64()), true
	default:
		return 0, false
	}
}
