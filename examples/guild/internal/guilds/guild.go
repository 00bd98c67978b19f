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

// message is what a guild process takes.
type message interface {
	handle(ctx context.Context, g *guild)
}

// guild is the state of one guild process. Only its handler touches it.
type guild struct {
	id       int64
	seq      int64 // number of the latest message
	sessions *mailbox.Group[chat.Event]
	reminder *mailbox.Timer // runs while some session may not know that it missed a message
}

// remindEvery is how long a session may not know that.
const remindEvery = time.Second

func (g *guild) handleMessage(ctx context.Context, m message) error {
	m.handle(ctx, g)
	return nil
}

// Publish fans a message out to the guild's sessions, once: to nobody if it comes
// again. It fails with [ErrGap] if the one before has not come.
type Publish struct {
	Message *chat.MessageCreate
	Reply   mailbox.Reply[mailbox.Delivery]
}

func (m Publish) handle(ctx context.Context, g *guild) {
	event := m.Message
	switch {
	case event.Seq <= g.seq:
		m.Reply.Answer(mailbox.Delivery{})
		return
	case event.Seq > g.seq+1:
		m.Reply.Fail(fmt.Errorf("message %d of guild %d after %d: %w", event.Seq, g.id, g.seq, ErrGap))
		return
	}
	g.seq = event.Seq
	if sc := trace.SpanContextFromContext(ctx); sc.IsSampled() {
		event.TraceID = sc.TraceID().String()
	}
	d := g.sessions.Broadcast(ctx, event)
	if d.Full > 0 && g.reminder == nil {
		// A session sees by the next message that it missed one; but there may be
		// no next one for a while. That is no part of this message's trace.
		self, _ := mailbox.Self[message](ctx)
		g.reminder = self.SendEvery(context.Background(), remindEvery, remind{})
	}
	m.Reply.Answer(d)
}

// remind tells all sessions of the latest message, until all have been told.
type remind struct{}

func (remind) handle(ctx context.Context, g *guild) {
	if d := g.sessions.Broadcast(ctx, &chat.Head{Seq: g.seq}); d.Full == 0 && g.reminder != nil {
		g.reminder.Stop()
		g.reminder = nil
	}
}

// Subscribe adds a session, which first of all gets a [chat.Joined].
type Subscribe struct {
	Session chat.Session
	Reply   mailbox.Reply[struct{}]
}

func (m Subscribe) handle(ctx context.Context, g *guild) {
	// One sender's messages come in order: this goes before every broadcast.
	err := m.Session.Send(ctx, &chat.Joined{Last: g.seq})
	if err == nil {
		err = g.sessions.Join(m.Session)
	}
	if err != nil {
		m.Reply.Fail(err)
		return
	}
	m.Reply.Answer(struct{}{})
}
