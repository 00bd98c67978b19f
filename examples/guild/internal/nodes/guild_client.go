// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
)

// askTime is how long the guild node may take for an answer.
const askTime = 5 * time.Second

// guildClient is the guild node as sessions of another node see it.
type guildClient struct {
	node   mailbox.Ref[guildQuestion]
	groups *Groups
	reads  singleflight.Group // of messages, by whom and from where on
}

var (
	_ sessions.Directory = (*guildClient)(nil)
	_ sessions.History   = (*guildClient)(nil)
)

func newGuildClient(node *remote.Node, l Link) (*guildClient, error) {
	ref, err := remote.NewRef(node, guildNodeKind, l.on(guildNodeKind), guildProtocol())
	if err != nil {
		return nil, err
	}
	return &guildClient{node: ref}, nil
}

// Subscribe implements sessions.Directory. The session joins those of this node first, so
// that it gets what is broadcast while the guild learns of it.
func (g *guildClient) Subscribe(ctx context.Context, guild int64, session chat.Session) error {
	group, err := g.groups.of(guild)
	if err != nil {
		return err
	}
	if err := group.Join(session); err != nil {
		return err
	}
	latest, err := ask(ctx, g, func(r mailbox.Reply[Latest]) guildQuestion { return Admit{guild, r} })
	if err == nil {
		err = latest.known(guild)
	}
	if err != nil {
		return err
	}
	return session.Send(ctx, &chat.Joined{Last: latest.Seq})
}

// Last implements sessions.History.
func (g *guildClient) Last(ctx context.Context, guild int64) (int64, error) {
	latest, err := ask(ctx, g, func(r mailbox.Reply[Latest]) guildQuestion { return Last{guild, r} })
	if err == nil {
		err = latest.known(guild)
	}
	return latest.Seq, err
}

func (l Latest) known(guild int64) error {
	if l.Unknown {
		return fmt.Errorf("guild %d: %w", guild, chat.ErrUnknownGuild)
	}
	return nil
}

// Messages implements sessions.History. A message that was lost is often lost to all sessions
// of the node, who share one answer then.
func (g *guildClient) Messages(ctx context.Context, guild, after int64, n int) ([]*chat.MessageCreate, error) {
	asked := g.reads.DoChan(fmt.Sprint(guild, after, n), func() (any, error) {
		// Others wait for it, even if this one has gone.
		return ask(context.WithoutCancel(ctx), g, func(r mailbox.Reply[[]*chat.MessageCreate]) guildQuestion {
			return Messages{guild, after, n, r}
		})
	})
	select {
	case read := <-asked:
		messages, _ := read.Val.([]*chat.MessageCreate)
		return slices.Clone(messages), read.Err // Each session lets go of them one by one.
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// heads asks for the numbers of the latest messages of some guilds.
func (g *guildClient) heads(ctx context.Context, guilds []int64) (map[int64]int64, error) {
	return ask(ctx, g, func(r mailbox.Reply[map[int64]int64]) guildQuestion { return Heads{guilds, r} })
}

// ask asks the guild node. The error wraps [chat.ErrAway] if that has nothing to do with what
// was asked.
func ask[R any](ctx context.Context, g *guildClient, m func(mailbox.Reply[R]) guildQuestion) (R, error) {
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	result, err := mailbox.Call(asking, g.node, m)
	if err != nil && ctx.Err() == nil && !errors.Is(err, chat.ErrUnknownGuild) {
		err = fmt.Errorf("%w: %w", chat.ErrAway, err)
	}
	return result, err
}
