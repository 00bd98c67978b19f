// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"context"
	"errors"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
)

// Guilds admit sessions of other nodes.
type Guilds interface {
	// Admit takes note of a session, and returns the number of the latest message that was
	// fanned out, or [chat.ErrUnknownGuild].
	Admit(ctx context.Context, guild int64) (int64, error)
}

// History is where the messages are.
type History interface {
	sessions.History

	// Heads returns the numbers of the latest stored messages of some guilds, leaving out
	// those that there are not.
	Heads(ctx context.Context, guilds []int64) (map[int64]int64, error)
}

// Bounds of what a session node asks the guild node.
const (
	guildServers = 16 // that answer
	maxAsked     = 20 // messages at a time
)

// guildNodeKind is the kind of the processes that answer for the guild node.
const guildNodeKind = "guild-node"

// guildServer answers what session nodes ask.
type guildServer struct {
	guilds  Guilds
	history History
}

// serveGuilds has session nodes answered, several at a time.
func serveGuilds(node *remote.Node, l Link, s guildServer) error {
	for range guildServers {
		process, err := mailbox.Spawn(node.System(), guildNodeKind, s.handle)
		if err == nil {
			_, err = remote.Serve(node, l.on(guildNodeKind), process, guildProtocol(), remote.WithQueue(guildNodeKind))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s guildServer) handle(ctx context.Context, m guildQuestion) error {
	switch m := m.(type) {
	case Admit:
		answerLatest(m.Reply)(s.guilds.Admit(ctx, m.Guild))
	case Last:
		answerLatest(m.Reply)(s.history.Last(ctx, m.Guild))
	case Messages:
		answer(m.Reply)(s.history.Messages(ctx, m.Guild, m.After, min(max(m.Count, 0), maxAsked))) // Below 0 would be all of them.
	case Heads:
		answer(m.Reply)(s.history.Heads(ctx, m.Guilds))
	}
	return nil
}

// answer returns what answers with a result, or with the error if there is one.
func answer[R any](to mailbox.Reply[R]) func(R, error) {
	return func(result R, err error) {
		if err != nil {
			to.Fail(err)
			return
		}
		to.Answer(result)
	}
}

// answerLatest tells a guild that is not there from other failures, whose identity does not
// travel.
func answerLatest(to mailbox.Reply[Latest]) func(int64, error) {
	return func(seq int64, err error) {
		if errors.Is(err, chat.ErrUnknownGuild) {
			to.Answer(Latest{Unknown: true})
			return
		}
		answer(to)(Latest{Seq: seq}, err)
	}
}
