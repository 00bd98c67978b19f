// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package guilds

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/trouble"
	"github.com/waybill-go/waybill/mailbox"
)

// saveAfter is how long after a change a guild's state is saved. What changed since
// the last time is lost to a kill.
const saveAfter = 5 * time.Second

// Store is where guilds keep their state.
type Store interface {
	// State returns the state that was saved last. Its Seq is that of the latest message
	// that the store was told of by Delivered, if that is higher.
	State(ctx context.Context, guild int64) (chat.GuildState, error)
	// SaveState saves a guild's state.
	SaveState(ctx context.Context, guild int64, state chat.GuildState) error
	// Delivered takes note that a guild's messages up to number seq have been fanned
	// out, until its state is saved. It does not block.
	Delivered(guild, seq int64)
}

// Sessions are the sessions of a guild, wherever they are.
type Sessions interface {
	// Join adds a session of this process of the operating system, until it ends.
	Join(session chat.Session) error
	// Broadcast sends an event to all of them, one call after the other in that order. It
	// does not wait for any of them.
	Broadcast(ctx context.Context, e chat.Event) mailbox.Delivery
	// Len returns how many there are.
	Len() int
}

// guild is what there is of a guild for as long as its process lives. Its sessions stay
// in their group while the process sleeps, and while it restarts after a failure.
// Only its process touches it.
type guild struct {
	id       int64
	sessions Sessions
	store    Store
	tracer   trace.Tracer
	faults   bool
	trouble  *trouble.Board
	failedOn int64 // number of the message that made it fail on purpose
	unsure   bool  // some session may have missed a message and not know
}

// instance is the state of a guild that is awake.
type instance struct {
	*guild

	self     mailbox.Ref[message]
	state    chat.GuildState
	saved    chat.GuildState // as it is in the store
	reminder *mailbox.Timer  // runs while the guild is unsure
	saving   *mailbox.Timer  // runs while there is something to save
}

// message is what a guild process takes.
type message interface {
	handle(ctx context.Context, g *instance) error
}

// load is a mailbox.Factory: it makes an instance from the state that was saved last,
// for a guild that begins, wakes up or has failed.
func (g *guild) load(ctx context.Context, self mailbox.Ref[message]) (mailbox.Instance[message], error) {
	loading, span := g.tracer.Start(ctx, "SELECT guild state") // Silent unless a traced message wakes the guild.
	state, err := g.store.State(loading, g.id)
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, "the state was not loaded")
	}
	span.End()
	if err != nil {
		return mailbox.Instance[message]{}, err
	}
	i := &instance{guild: g, self: self, state: state, saved: state}
	i.countSessions()
	i.state.Joins = max(i.state.Joins, int64(g.sessions.Len())) // Some have joined since it was saved.
	if g.unsure {
		i.startReminder(ctx)
	}
	return mailbox.Instance[message]{Handle: i.handle, Save: i.save}, nil
}

func (g *instance) handle(ctx context.Context, m message) error { return m.handle(ctx, g) }

// save saves the state, if it has changed.
func (g *instance) save(ctx context.Context) error {
	if g.state == g.saved {
		return nil
	}
	if err := g.store.SaveState(ctx, g.id, g.state); err != nil {
		return err
	}
	g.saved = g.state
	return nil
}

// saveSoon has the state saved after a while, with all that changes until then. A
// guild that has such a timer does not go to sleep.
func (g *instance) saveSoon(ctx context.Context) {
	if g.saving == nil {
		g.saving = g.self.SendAfter(ctx, saveAfter, saveState{})
	}
}

// saveState is what that timer sends.
type saveState struct{}

func (saveState) handle(ctx context.Context, g *instance) error {
	g.saving = nil
	err := g.save(ctx)
	if err != nil {
		g.saveSoon(ctx)
	}
	return err
}

// sleep has the guild go to sleep as soon as it has nothing to do, which saves its
// state.
func (g *instance) sleep() {
	for _, t := range []*mailbox.Timer{g.saving, g.reminder} {
		if t != nil {
			t.Stop()
		}
	}
	g.saving, g.reminder = nil, nil
	g.self.Passivate()
}
