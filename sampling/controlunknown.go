// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"maps"
	"slices"
)

// shownJSON is what is shown of a control.
type shownJSON struct {
	configJSON

	Unknown *unknownJSON `json:"unknown,omitempty"`
}

type unknownJSON struct {
	Kinds  []string `json:"kinds,omitempty"`
	Groups []string `json:"groups,omitempty"`
}

// unknown returns the names in a configuration that nobody has asked for yet, nil if
// there are none.
func (c *Control) unknown(shown Config) *unknownJSON {
	c.mu.Lock()
	defer c.mu.Unlock()
	u := unknownJSON{without(shown.Kinds, c.kinds.Has), without(shown.Groups, c.groups.Has)}
	if u.Kinds == nil && u.Groups == nil {
		return nil
	}
	return &u
}

// without returns the names in m for which has is false, in order.
func without[T any](m map[string]T, has func(name string) bool) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !has(name) {
			names = append(names, name)
		}
	}
	return names
}
