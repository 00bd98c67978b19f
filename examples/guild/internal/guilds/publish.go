// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package guilds

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/mailbox"
)

// remindEvery is how long a session may have missed a message and not know.
const remindEvery = time.Second

// Publish fans a message out to the guild's sessions, once: to nobody if it comes
// again. It fails with [ErrGap] if the one before has not come.
type Publish struct {
	Message *chat.MessageCreate
	Reply   mailbox.Reply[mailbox.Delivery]
}

func (m Publish) handle(ctx context.Context, g *instance) error {
	event := m.Message
	switch {
	case event.Seq <= g.state.Seq:
		m.Reply.Answer(mailbox.Delivery{})
		return nil
	case event.Seq > g.state.Seq+1:
		m.Reply.Fail(fmt.Errorf("message %d of guild %d after %d: %w", event.Seq, g.id, g.state.Seq, ErrGap))
		return nil
	}
	if sc := trace.SpanContextFromContext(ctx); sc.IsSampled() {
		event.TraceID = sc.TraceID().String()
	}
	g.trouble.AtGuild(ctx, g.id)
	g.unsure = true // Until this has gone well.
	d := g.sessions.Broadcast(ctx, event)
	g.failOnPurpose(event)
	g.trouble.AfterGuild(g.id)
	g.state.Seq = event.Seq
	g.store.Delivered(g.id, event.Seq) // An instance after this one goes on from here.
	if d.Full > 0 {
		// A session sees by the next message that it missed one; but there may be
		// no next one for a while.
		g.startReminder(ctx)
	}
	g.unsure = g.reminder != nil
	m.Reply.Answer(d)
	return nil
}

// startReminder has all sessions reminded until they know of every message. The timer
// is the instance's: it stops if the instance fails.
func (g *instance) startReminder(ctx context.Context) {
	if g.reminder == nil {
		g.reminder = g.self.SendEvery(ctx, remindEvery, remind{})
	}
}

// remind tells all sessions of the latest message, until all have been told.
type remind struct{}

func (remind) handle(ctx context.Context, g *instance) error {
	d := g.sessions.Broadcast(ctx, &chat.Head{Seq: g.state.Seq})
	if d.Full == 0 && g.reminder != nil {
		g.reminder.Stop()
		g.reminder, g.unsure = nil, false
	}
	return nil
}
