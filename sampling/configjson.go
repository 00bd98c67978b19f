// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"bytes"
	"encoding/json"
)

// unmarshalStrictly is json.Unmarshal that refuses names it does not know: a
// decoder's strictness does not reach into types that decode themselves.
func unmarshalStrictly(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// MarshalJSON implements json.Marshaler: a list of points.
func (c Curve) MarshalJSON() ([]byte, error) {
	points := c.points
	if len(points) == 0 {
		points = defaultPoints
	}
	return json.Marshal(points)
}

// UnmarshalJSON implements json.Unmarshaler. The error wraps [ErrCurve] if the
// points make none.
func (c *Curve) UnmarshalJSON(data []byte) error {
	var points []Point
	if err := unmarshalStrictly(data, &points); err != nil {
		return err
	}
	read, err := NewCurve(points...)
	if err != nil {
		return err
	}
	*c = read
	return nil
}
