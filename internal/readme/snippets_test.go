// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package readme_test

import (
	"context"
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

func process(
	ctx context.Context, sys *mailbox.System, handleGuild func(context.Context, GuildMsg) error, show func(Stats),
) error {
	// README: process
	guild, err := mailbox.Spawn(sys, "guild", handleGuild) // func(ctx context.Context, m GuildMsg) error
	if err != nil {
		return err
	}
	if err := guild.Send(ctx, MessageCreate{"hello"}); err != nil {
		return err
	}
	stats, err := mailbox.Call(ctx, guild, func(r mailbox.Reply[Stats]) GuildMsg { return GetStats{r} })
	// README: end
	show(stats)
	return err
}

func fanOut(
	ctx context.Context, sys *mailbox.System, session mailbox.Ref[Event], event Event, show func(mailbox.Delivery),
) error {
	// README: fan-out
	sessions := mailbox.NewGroup[Event](sys, "sessions")
	if err := sessions.Join(session); err != nil {
		return err
	}
	delivery := sessions.Broadcast(ctx, event) // .Size, .Delivered, .Refused, .Sampled
	// README: end
	show(delivery)
	return nil
}

func supervised(
	ctx context.Context, sys *mailbox.System, userID string, load mailbox.Factory[Event], event Event,
) error {
	// README: supervised
	carts, err := mailbox.NewKind[Event](sys, "cart",
		mailbox.WithPanicPolicy(mailbox.Restart), mailbox.WithPassivation(10*time.Minute))
	if err != nil {
		return err
	}
	cart, err := carts.GetOrSpawn(userID, load) // load makes the state, or fetches a saved one
	if err != nil {
		return err
	}
	err = cart.Send(ctx, event)
	// README: end
	return err
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

	sys := mailbox.NewSystem()
	messages := 0
	require.NoError(t, process(t.Context(), sys, func(_ context.Context, m GuildMsg) error {
		messages++
		if get, ok := m.(GetStats); ok {
			get.reply.Answer(Stats{Messages: messages})
		}
		return nil
	}, func(stats Stats) { assert.Equal(t, Stats{Messages: 2}, stats) }))

	session, err := mailbox.Spawn(sys, "session", func(context.Context, Event) error { return nil })
	require.NoError(t, err)
	require.NoError(t, fanOut(t.Context(), sys, session, Event{"hello"}, func(d mailbox.Delivery) {
		assert.Equal(t, mailbox.Delivery{Size: 1, Delivered: 1}, d)
	}))

	bought := make(chan Event, 1)
	require.NoError(t, supervised(t.Context(), sys, "ada", func(
		_ context.Context, self mailbox.Ref[Event],
	) (mailbox.Instance[Event], error) {
		assert.Equal(t, "ada", self.ID())
		return mailbox.Instance[Event]{Handle: func(_ context.Context, e Event) error { bought <- e; return nil }}, nil
	}, Event{"a book"}))
	assert.Equal(t, Event{"a book"}, <-bought)

	http.DefaultServeMux = http.NewServeMux() // It takes each pattern once; the test may run again.
	other, err := controlled()
	require.NoError(t, err)
	require.NoError(t, other.Shutdown(t.Context()))
	require.NoError(t, sys.Shutdown(t.Context()))
}
