// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/sampling"
)

// lookEvery is how often a node looks what messages its guilds have. A session that was lost
// a message knows of it after twice that time.
const lookEvery = time.Second

// Groups has the sessions of this node, by guild. Each guild's are a part of a remote.Group
// over all nodes.
//
// Such a group loses messages, where a connection is lost or something is full on the way, and
// nobody can tell whether one was lost. So each node asks every second which messages its
// guilds have, and has its sessions reminded of those that were stored a second ago: by now
// they should have come. Whoever lacks one gets it from the history.
type Groups struct {
	node    *remote.Node
	control *sampling.Control
	guilds  int64
	heads   heads
	end     context.CancelFunc
	looking sync.WaitGroup

	mu      sync.Mutex
	byGuild map[int64]*Group
}

// heads returns the numbers of the latest stored messages of some guilds.
type heads func(ctx context.Context, guilds []int64) (map[int64]int64, error)

// Group has the sessions of one guild on this node, and broadcasts to those on all.
type Group struct {
	all  *remote.Group[chat.Event]
	here *mailbox.Group[chat.Event]
	head int64 // stored when the node looked last
	told int64 // what all sessions here have been reminded of
}

// newGroups makes it, for guilds 1 to guilds.
func newGroups(node *remote.Node, guilds int, control *sampling.Control, h heads) *Groups {
	ctx, end := context.WithCancel(context.Background())
	g := &Groups{
		node: node, control: control, guilds: int64(guilds), heads: h, end: end, byGuild: make(map[int64]*Group),
	}
	g.looking.Go(func() { g.look(ctx) })
	return g
}

// of returns the group of a guild. The error wraps [chat.ErrUnknownGuild] if there is no such
// guild.
func (g *Groups) of(guild int64) (*Group, error) {
	if guild < 1 || guild > g.guilds {
		return nil, fmt.Errorf("guild %d: %w", guild, chat.ErrUnknownGuild)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if group := g.byGuild[guild]; group != nil {
		return group, nil
	}
	all, err := remote.NewGroup(g.node, "sessions", events(),
		remote.WithGroupID(strconv.FormatInt(guild, 10)), remote.WithGroupControl(g.control))
	if err != nil {
		return nil, err
	}
	here, err := mailbox.NewGroup[chat.Event](g.node.System(), "reminded")
	if err != nil {
		return nil, err
	}
	group := &Group{all: all, here: here}
	g.byGuild[guild] = group
	return group, nil
}

// Join adds a session of this node.
func (g *Group) Join(session chat.Session) error {
	return errors.Join(g.here.Join(session), g.all.Join(session))
}

// Broadcast sends an event to the sessions of all nodes. What the delivery says of other nodes
// is what they have announced.
func (g *Group) Broadcast(ctx context.Context, e chat.Event) mailbox.Delivery {
	d := g.all.Broadcast(ctx, e)
	return mailbox.Delivery{Size: d.Size, Delivered: d.Delivered, Refused: d.Refused, Sampled: d.Sampled}
}

// Len returns how many sessions there are on all nodes.
func (g *Group) Len() int { return g.all.Size() }

// look looks what there is to remind sessions of, until ctx ends.
func (g *Groups) look(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		used := g.inUse()
		if len(used) == 0 {
			continue
		}
		asking, cancel := context.WithTimeout(ctx, askTime)
		found, err := g.heads(asking, slices.Sorted(maps.Keys(used)))
		cancel()
		if err != nil {
			continue // The guild node is out of reach, and will be asked again.
		}
		for guild, group := range used {
			group.remind(ctx, found[guild])
		}
	}
}

// remind reminds sessions of what was stored when the node looked before.
func (g *Group) remind(ctx context.Context, head int64) {
	if g.head > g.told {
		if d := g.here.Broadcast(ctx, &chat.Head{Seq: g.head}); d.Full == 0 {
			g.told = g.head
		}
	}
	g.head = max(g.head, head)
}

// inUse returns the groups that have sessions here.
func (g *Groups) inUse() map[int64]*Group {
	g.mu.Lock()
	defer g.mu.Unlock()
	used := make(map[int64]*Group)
	for guild, group := range g.byGuild {
		if group.here.Len() > 0 {
			used[guild] = group
		}
	}
	return used
}

// close ends the looking. The node closes the groups.
func (g *Groups) close() {
	g.end()
	g.looking.Wait()
}
