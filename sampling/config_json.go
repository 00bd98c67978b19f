// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
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

// checkClear reads one value, which is valid JSON, and returns an error if there is
// anything in it that decoding takes, although nobody can tell what was meant: a null,
// which it takes for the default, or a name that an object has twice, of which it
// takes the last. Case makes no difference to it in the names of fields. It does in
// the names that users gave to kinds and groups: given says that value is an object
// of those.
func checkClear(value *json.Decoder, given bool) error {
	token, err := value.Token()
	switch {
	case err != nil:
		return err
	case token == nil:
		return errors.New("null is no setting: leave out what is to be as by default")
	case token == json.Delim('['):
		for value.More() {
			if err := checkClear(value, false); err != nil {
				return err
			}
		}
	case token == json.Delim('{'):
		if err := checkMembers(value, given); err != nil {
			return err
		}
	default:
		return nil
	}
	_, err = value.Token() // The end of it.
	return err
}

func checkMembers(object *json.Decoder, given bool) error {
	seen := make(map[string]bool)
	for object.More() {
		token, err := object.Token()
		if err != nil {
			return err
		}
		name := fmt.Sprint(token)
		folded := strings.ToLower(strings.ToUpper(name)) // As decoding does: some letters have two lower cases.
		key := folded
		if given {
			key = name
		}
		if seen[key] {
			return fmt.Errorf("%q is there twice", name)
		}
		seen[key] = true
		if err := checkClear(object, !given && (folded == "kinds" || folded == "groups")); err != nil {
			return err
		}
	}
	return nil
}
