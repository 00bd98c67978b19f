// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package readme_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// What the README's snippets take as given.

type Order struct{ ID int }

type GuildMsg any

type Stats struct{ Messages int }

type GetStats struct{ reply mailbox.Reply[Stats] }

type MessageCreate struct{ Content string }

type Event struct{ Content string }

func channel(ctx context.Context, order Order, ship func(context.Context, Order)) error {
	// README: channel
	orders := make(chan envelope.Envelope[Order], 64)

	err := envelope.Send(ctx, orders, order) // was: orders <- order

	for ctx, order := range envelope.Receive(ctx, orders, "process orders") { // was: for order := range orders
		ship(ctx, order) // below a child span of the sender's
	}
	// README: end
	return err
}

func anyChannel(ctx context.Context, ch chan any, order Order, ship func(context.Context, Order)) error {
	// README: any
	ch <- envelope.Wrap(ctx, order) // others still send bare orders

	e, err := envelope.From[Order](<-ch) // takes both
	ctx, order = e.Unwrap(ctx)
	ship(ctx, order)
	// README: end
	return err
}

func process(ctx context.Context, handleGuild func(context.Context, GuildMsg) error) (Stats, error) {
	// README: process
	sys := mailbox.NewSystem()
	guild, err := mailbox.Spawn(sys, "guild", handleGuild) // func(ctx context.Context, m GuildMsg) error

	err = errors.Join(err, guild.Send(ctx, MessageCreate{"hello"}))

	stats, err2 := mailbox.Call(ctx, guild, func(r mailbox.Reply[Stats]) GuildMsg { return GetStats{r} })

	err3 := sys.Shutdown(ctx) // what was accepted is handled
	// README: end
	return stats, errors.Join(err, err2, err3)
}

func fanOut(
	ctx context.Context, sys *mailbox.System, session mailbox.Ref[Event], event Event,
) (mailbox.Delivery, error) {
	// README: fan-out
	sessions := mailbox.NewGroup[Event](sys, "sessions")
	err := sessions.Join(session)

	delivery := sessions.Broadcast(ctx, event) // .Size, .Delivered, .Refused, .Sampled
	// README: end
	return delivery, err
}

func supervised(
	sys *mailbox.System, userID string, load mailbox.Factory[Event],
) (mailbox.Ref[Event], error) {
	// README: supervised
	carts, err := mailbox.NewKind[Event](sys, "cart",
		mailbox.WithPanicPolicy(mailbox.Restart), mailbox.WithPassivation(10*time.Minute))

	cart, err2 := carts.GetOrSpawn(userID, load) // load makes the state, or fetches a saved one
	// README: end
	return cart, errors.Join(err, err2)
}

func controlled() (*mailbox.System, error) {
	// README: control
	control, err := sampling.NewControl(sampling.DefaultConfig())
	sys := mailbox.NewSystem(mailbox.WithControl(control))
	http.Handle("/tracing", control) // GET shows the configuration as JSON, PUT changes it
	// README: end
	return sys, err
}

func TestSnippetsWork(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	shipped := 0
	require.NoError(t, channel(ctx, Order{1}, func(context.Context, Order) { shipped++; cancel() }))

	require.NoError(t, anyChannel(t.Context(), make(chan any, 1), Order{2}, func(_ context.Context, o Order) { shipped += o.ID }))
	assert.Equal(t, 3, shipped)

	messages := 0
	stats, err := process(t.Context(), func(_ context.Context, m GuildMsg) error {
		messages++
		if get, ok := m.(GetStats); ok {
			get.reply.Answer(Stats{Messages: messages})
		}
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, Stats{Messages: 2}, stats)

	sys := mailbox.NewSystem()
	session, err := mailbox.Spawn(sys, "session", func(context.Context, Event) error { return nil })
	require.NoError(t, err)
	delivery, err := fanOut(t.Context(), sys, session, Event{"hello"})
	require.NoError(t, err)
	assert.Equal(t, mailbox.Delivery{Size: 1, Delivered: 1}, delivery)

	cart, err := supervised(sys, "ada", func(
		_ context.Context, self mailbox.Ref[Event],
	) (mailbox.Instance[Event], error) {
		assert.Equal(t, "ada", self.ID())
		return mailbox.Instance[Event]{Handle: func(context.Context, Event) error { return nil }}, nil
	})
	require.NoError(t, err)
	require.NoError(t, cart.Send(t.Context(), Event{"a book"}))
	require.NoError(t, cart.Stop(t.Context()))

	http.DefaultServeMux = http.NewServeMux() // It takes each pattern once; the test may run again.
	other, err := controlled()
	require.NoError(t, err)
	require.NoError(t, other.Shutdown(t.Context()))
	require.NoError(t, sys.Shutdown(t.Context()))
}
