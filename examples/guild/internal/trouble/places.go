// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package trouble

import (
	"context"
	"errors"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/mailbox"
)

// AtGuild is called by a guild that handles a post, before its sessions get it. It
// waits while the guild is slow, until ctx ends.
func (b *Board) AtGuild(ctx context.Context, guild int64) {
	if b == nil {
		return
	}
	if t := b.slowGuild.in(guild); t != nil {
		t.pause(ctx)
	}
}

// AfterGuild is called by a guild whose sessions got a post, before it knows that. It
// panics if that was ordered.
func (b *Board) AfterGuild(guild int64) {
	if b == nil {
		return
	}
	if t := b.panicGuild.in(guild); t.once(guild) {
		t.end()
		panic(ErrOnPurpose)
	}
}

// AtSession is called by a session of a guild that handles a message, before its client
// gets it. ctx is the handler's. It waits while the session is slow or hangs, until ctx
// ends, and panics if that was ordered. Sessions are numbered from 1.
func (b *Board) AtSession(ctx context.Context, guild, session int64) {
	if b == nil {
		return
	}
	if t := b.slowSessions.in(guild); t != nil && t.isOneIn(session) {
		t.pause(ctx)
	}
	if t := b.panicSession.in(guild); t.once(session) {
		t.end()
		panic(ErrOnPurpose)
	}
	if t := b.fullMailbox.in(guild); t.first() {
		fill(ctx)
		t.hit(session)
		select {
		case <-t.ctx.Done():
		case <-ctx.Done():
		}
	}
}

// fill fills the mailbox of the session whose handler has ctx. What it sends means
// nothing to the session, and has no part in the trace of the message that is handled.
func fill(ctx context.Context) {
	self, ok := mailbox.Self[chat.Event](ctx)
	if !ok {
		return
	}
	for range maxFilling {
		if err := self.TrySend(context.Background(), &chat.Head{}); errors.Is(err, mailbox.ErrFull) { //nolint:contextcheck // Or there would be a span for each.
			return
		}
	}
}

// maxFilling is more than any mailbox of the example takes.
const maxFilling = 10_000
