// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package guilds

import (
	"context"
	"errors"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/mailbox"
)

// Subscribe adds a session, which first of all gets a [chat.Joined].
type Subscribe struct {
	Session chat.Session
	Reply   mailbox.Reply[struct{}]
}

func (m Subscribe) handle(ctx context.Context, g *instance) error {
	// One sender's messages come in order: this goes before every broadcast.
	err := m.Session.Send(ctx, &chat.Joined{Last: g.state.Seq})
	if err == nil {
		err = g.sessions.Join(m.Session)
	}
	if err != nil {
		m.Reply.Fail(err)
		return nil
	}
	// The group forgets a session that ends. The guild wants to know of it, and why.
	mailbox.Watch(g.self, m.Session, func(t mailbox.Termination) message { return sessionEnded{t.Err} })
	g.joined(ctx)
	m.Reply.Answer(struct{}{})
	return nil
}

// joined takes note of one more session.
func (g *instance) joined(ctx context.Context) {
	g.state.Joins++
	g.countSessions()
	g.saveSoon(ctx)
}

// Admit counts a session that another process of the operating system has.
type Admit struct{ Reply mailbox.Reply[int64] }

func (m Admit) handle(ctx context.Context, g *instance) error {
	g.joined(ctx)
	m.Reply.Answer(g.state.Seq)
	return nil
}

// countSessions takes note of how many sessions there are.
func (g *instance) countSessions() {
	g.state.Peak = max(g.state.Peak, int64(g.sessions.Len()))
}

// sessionEnded tells of a session that has ended, and is no longer in the group.
type sessionEnded struct{ because error }

func (m sessionEnded) handle(ctx context.Context, g *instance) error {
	if errors.Is(m.because, chat.ErrBehind) {
		g.state.Lost++
		g.saveSoon(ctx)
	}
	if g.sessions.Len() == 0 {
		g.sleep() // Nobody is there. Who comes wakes it up.
	}
	return nil
}

// View is what there is to see of a guild.
type View struct {
	chat.GuildState

	Here int64 // sessions that are in the guild now
}

// getView answers with the guild's View.
type getView struct{ Reply mailbox.Reply[View] }

func (m getView) handle(_ context.Context, g *instance) error {
	m.Reply.Answer(View{GuildState: g.state, Here: int64(g.sessions.Len())})
	return nil
}
