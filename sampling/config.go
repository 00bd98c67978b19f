// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import "fmt"

// Config is all that can be changed while a program runs. It is never changed itself: a
// [Control] exchanges one for another. The zero value is the configuration of a program
// that has no other. In it, and in all that it holds, zero means the default and
// [Unlimited] no limit, in Go and in JSON.
type Config struct {
	// Default holds for kinds that are not in Kinds.
	Default KindConfig `json:"default"`
	// Kinds holds the settings of kinds of processes, by name.
	Kinds map[string]KindConfig `json:"kinds,omitempty"`
	// DefaultGroup holds for groups that are not in Groups.
	DefaultGroup GroupConfig `json:"default_group"`
	// Groups holds how many recipients of a broadcast are sampled, by the name of
	// the group.
	Groups map[string]GroupConfig `json:"groups,omitempty"`
}

func (c Config) validate() error {
	if err := c.Default.validate(); err != nil {
		return fmt.Errorf("default: %w", err)
	}
	for name, s := range c.Kinds {
		if err := s.validate(); err != nil {
			return fmt.Errorf("kind %q: %w", name, err)
		}
	}
	if err := c.DefaultGroup.Validate(); err != nil {
		return fmt.Errorf("default group: %w", err)
	}
	for name, g := range c.Groups {
		if err := g.Validate(); err != nil {
			return fmt.Errorf("group %q: %w", name, err)
		}
	}
	return nil
}
