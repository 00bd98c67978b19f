// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

// shownJSON is what is shown of a control.
type shownJSON struct {
	Config

	Unknown *unknownJSON `json:"unknown,omitempty"`
}

type unknownJSON struct {
	Kinds  []string `json:"kinds,omitempty"`
	Groups []string `json:"groups,omitempty"`
}

// unknown returns the names in a configuration that nobody has asked for yet, nil if
// there are none.
func (c *Control) unknown(shown Config) *unknownJSON {
	kinds, groups := (*cells)(c).Unknown(cellsConfig(shown))
	if len(kinds)+len(groups) == 0 {
		return nil
	}
	return &unknownJSON{kinds, groups}
}
