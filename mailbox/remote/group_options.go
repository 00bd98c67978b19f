// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"fmt"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// GroupOption configures [NewGroup].
type GroupOption interface{ applyGroup(*groupSettings) }

type groupOption func(*groupSettings)

func (o groupOption) applyGroup(s *groupSettings) { o(s) }

type groupSettings struct {
	sampling *sampling.GroupConfig
	control  *sampling.Control
	capacity int
	id       string
}

// WithGroupSampling sets how many of the members on all nodes are sampled, whatever a control
// says. Where a node broadcasts, it plans for all members on all nodes; a node never samples
// more of its own members than it would for itself. So all nodes should have the same.
func WithGroupSampling(config sampling.GroupConfig) GroupOption {
	return groupOption(func(s *groupSettings) { s.sampling = &config })
}

// WithGroupID makes one of several groups of the same name, which differ by their IDs and have
// no members in common: such as the sessions of one of many guilds. Spans and settings have the
// name alone, so there may be many IDs. A node reports no metrics of such groups by itself:
// [Group.RegisterMetrics] does, with attributes that tell them apart. All nodes must use the same
// name and ID.
func WithGroupID(id string) GroupOption {
	return groupOption(func(s *groupSettings) { s.id = id })
}

// WithGroupControl has broadcasts follow a control: the settings that it has for the group's
// name. It should be the one that the system has ([mailbox.WithControl]), which the members
// follow. The rates in the settings hold for each node: for the broadcasts that it makes, and
// for its own members.
func WithGroupControl(control *sampling.Control) GroupOption {
	return groupOption(func(s *groupSettings) { s.control = control })
}

// WithRelayCapacity sets how many broadcasts may wait for the relay of this node. While there
// are as many, broadcasts from here wait, and those from other nodes pile up in the client of
// NATS, up to [Limits]. The default is 1,024.
func WithRelayCapacity(broadcasts int) GroupOption {
	return groupOption(func(s *groupSettings) { s.capacity = broadcasts })
}

const defaultRelayCapacity = 1024

func newGroupSettings(name string, opts []GroupOption) (groupSettings, error) {
	s := groupSettings{capacity: defaultRelayCapacity}
	for _, o := range opts {
		if o != nil {
			o.applyGroup(&s)
		}
	}
	if s.capacity < 1 {
		return s, fmt.Errorf("group %q: %w: a relay with room for %d broadcasts", name, mailbox.ErrConfig, s.capacity)
	}
	return s, nil
}

// local returns the options of the group of the members here.
func (s *groupSettings) local() []mailbox.GroupOption {
	if s.sampling == nil {
		return nil
	}
	return []mailbox.GroupOption{mailbox.WithSampling(*s.sampling)}
}
