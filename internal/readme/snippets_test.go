// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package readme_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/mailbox"
)

// Types that the README's snippets use.

type Order struct{ ID int }

type GuildMsg any

type Stats struct{ Messages int }

type GetStats struct{ reply mailbox.Reply[Stats] }

type MessageCreate struct{ Content string }

type Event struct{ Content string }

func channel(ctx context.Context, order Order, ship func(context.Context, Order)) error {
	// README: channel
	orders := make(chan envelope.Envelope[Order], 64)

	// The sender. Before: orders <- order
	if err := envelope.Send(ctx, orders, order); err != nil {
		return err
	}

	// The receiver. Before: for order := range orders
	for ctx, order := range envelope.Receive(ctx, orders, "process order") {
		ship(ctx, order)
	}
	// README: end
	return nil
}

func process(ctx context.Context, handleGuild func(context.Context, GuildMsg) error) error {
	// README: process
	sys := mailbox.NewSystem()
	guild, err := mailbox.Spawn(sys, "guild", handleGuild) // func(ctx context.Context, m GuildMsg) error
	if err != nil {
		return err
	}
	if err := guild.Send(ctx, MessageCreate{"hello"}); err != nil {
		return err
	}
	stats, err := mailbox.Call(ctx, guild, func(r mailbox.Reply[Stats]) GuildMsg { return GetStats{r} })
	if err != nil {
		return err
	}
	fmt.Println(stats.Messages, "messages")
	// README: end
	return sys.Shutdown(ctx)
}

func fanOut(ctx context.Context, sys *mailbox.System, session mailbox.Ref[Event], event Event) error {
	// README: fan-out
	sessions, err := mailbox.NewGroup[Event](sys, "sessions")
	if err != nil {
		return err
	}
	if err := sessions.Join(session); err != nil {
		return err
	}
	delivery := sessions.Broadcast(ctx, event)
	fmt.Println(delivery.Delivered, "of", delivery.Size, "sessions have it,", delivery.Sampled, "keep the trace")
	// README: end
	return nil
}

func TestSnippetsWork(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	shipped := 0
	require.NoError(t, channel(ctx, Order{1}, func(context.Context, Order) { shipped++; cancel() }))
	assert.Equal(t, 1, shipped)

	messages := 0
	require.NoError(t, process(t.Context(), func(_ context.Context, m GuildMsg) error {
		messages++
		if get, ok := m.(GetStats); ok {
			get.reply.Answer(Stats{Messages: messages})
		}
		return nil
	}))
	assert.Equal(t, 2, messages)

	sys := mailbox.NewSystem()
	heard := make(chan Event, 1)
	session, err := mailbox.Spawn(sys, "session", func(_ context.Context, e Event) error { heard <- e; return nil })
	require.NoError(t, err)
	require.NoError(t, fanOut(t.Context(), sys, session, Event{"hello"}))
	assert.Equal(t, Event{"hello"}, <-heard)
	require.NoError(t, sys.Shutdown(t.Context()))
}
