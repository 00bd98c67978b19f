// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/internal/subject"
)

// Config says how a node places the processes of a kind. A field that is zero means the
// default.
type Config[M any] struct {
	// Factory makes the instances of the processes that run on this node; the ID is that of
	// its self. Without one, the node runs none, and reaches those of others.
	Factory mailbox.Factory[M]
	// Lease is how long the node may run processes after its last sign of life, 10 s by
	// default, between 100 ms and 10 min. If the node is lost, another one takes over one and
	// a quarter leases after its last sign of life, and a little more. A node whose
	// connection is lost for longer loses its processes. Nodes may have different leases.
	Lease time.Duration
	// Options are those of the processes that run on this node. What comes from other nodes
	// while a mailbox is full is refused, whatever the overflow.
	Options []mailbox.KindOption
	// Replicas is in how many copies a cluster keeps who owns what. Zero leaves what is there,
	// and makes one copy if nothing is there. A cluster should have three.
	Replicas int
	// MaxPlaced is how many processes may run on this node, 1,000,000 by default. Further ones
	// are refused with [mailbox.ErrFull].
	MaxPlaced int
	// MaxReferences is how many references to processes on other nodes are kept, 65,536 by
	// default. Beyond it, the one is stopped that [Kind.GetOrSpawn] has not returned for the
	// longest time.
	MaxReferences int
	// Logger is told of what goes wrong, such as when the node loses its processes or the store
	// fails: once a second at most for each, with how often it happened. A logger that blocks holds
	// nothing up. Nil means [slog.Default].
	Logger *slog.Logger

	now func() time.Time // time.Now, but in tests
}

const (
	defaultLease         = 10 * time.Second
	minLease             = 100 * time.Millisecond
	maxLease             = 10 * time.Minute
	defaultMaxPlaced     = 1_000_000
	defaultMaxReferences = 1 << 16
	maxKindName          = 64
)

func (c Config[M]) withDefaults(name string) (Config[M], error) {
	token, err := subject.Token(name)
	switch {
	case err != nil, token != name, len(name) > maxKindName:
		return c, fmt.Errorf("%w: kind %q: a name has 1 to %d letters, digits, '-' and '_'", mailbox.ErrConfig, name, maxKindName)
	case c.Lease != 0 && (c.Lease < minLease || c.Lease > maxLease):
		return c, fmt.Errorf("%w: kind %q: a lease of %v, not between %v and %v", mailbox.ErrConfig, name, c.Lease, minLease, maxLease)
	case c.Replicas < 0, c.MaxPlaced < 0, c.MaxReferences < 0:
		return c, fmt.Errorf("%w: kind %q: a negative number", mailbox.ErrConfig, name)
	}
	c.Lease = cmp.Or(c.Lease, defaultLease)
	c.MaxPlaced = cmp.Or(c.MaxPlaced, defaultMaxPlaced)
	c.MaxReferences = cmp.Or(c.MaxReferences, defaultMaxReferences)
	c.Options = slices.Clone(c.Options)
	if c.now == nil {
		c.now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, nil
}
