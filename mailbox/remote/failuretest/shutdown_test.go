// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package failuretest_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/durable"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// disturbances are what a link does in a test of shutdowns.
var disturbances = map[string]func(*natstest.Link){"cut": (*natstest.Link).Cut, "hung": (*natstest.Link).Hang}

// shutDown shuts a node down, and checks that this ends in time.
func shutDown(t *testing.T, n *node) {
	t.Helper()
	const timeout = time.Second
	begin := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	err := errors.Join(n.Close(ctx), n.sys.Shutdown(ctx))
	assert.Less(t, time.Since(begin), 10*timeout, "%v", err)
}

// What must hold when a node is shut down while its link hangs and its connection can take no
// more, or while it is cut: the shutdown ends in time.
func TestShutdownOfASenderWithoutALink(t *testing.T) {
	t.Parallel()
	for name, disturb := range disturbances {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			p.send(t, 1)
			disturb(p.link)
			// More than the link and the kernel hold.
			text, before := strings.Repeat("x", 64<<10), uint64(0)
			require.Eventually(t, func() bool {
				err := p.to.TrySend(t.Context(), order{Text: text})
				for err == nil {
					err = p.to.TrySend(t.Context(), order{Text: text})
				}
				stats := p.sender.Stats()
				done := stats.Sent == before || stats.NotSent.Connection > 0
				before = stats.Sent
				return done
			}, patience, 10*poll)
			shutDown(t, p.sender)
			p.link.Heal() // For the cleanups.
		})
	}
}

// book is a call with a large answer.
type book struct{ reply mailbox.Reply[string] }

// The same must hold for a node that cannot get rid of its answers.
func TestShutdownOfAServerWithoutALink(t *testing.T) {
	t.Parallel()
	books := remote.Protocol[book]{Calls: []remote.CallType[book]{
		remote.Answered[book](func(b *book) *mailbox.Reply[string] { return &b.reply }, nil),
	}}
	for name, disturb := range disturbances {
		t.Run(name, func(t *testing.T) {
			s := natstest.Start(t, natstest.Options{})
			link := natstest.NewLink(t, s.Addr())
			caller := nodeOn(t, "caller", s.Conn(t), remote.Limits{})
			server := nodeOn(t, "server", link.Conn(t), remote.Limits{MaxServed: 1 << 14})
			const calls = 400
			began, gate := make(chan struct{}, calls), make(chan struct{})
			text := strings.Repeat("x", 64<<10)
			process, err := mailbox.Spawn(server.sys, "books", func(ctx context.Context, b book) error {
				began <- struct{}{}
				select {
				case <-gate:
				case <-ctx.Done():
				}
				b.reply.Answer(text)
				return nil
			}, mailbox.WithCapacity(calls))
			require.NoError(t, err)
			_, err = remote.Serve(server.Node, "books", process, books)
			require.NoError(t, err)
			require.NoError(t, server.Conn().Flush())
			to, err := remote.NewRef(caller.Node, "books", "books", books)
			require.NoError(t, err)
			var calling sync.WaitGroup
			defer calling.Wait()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for range calls {
				calling.Go(func() {
					_, _ = mailbox.Call(ctx, to, func(r mailbox.Reply[string]) book { return book{r} }) // None is answered.
				})
			}
			require.Eventually(t, func() bool { return server.Stats().Served.Pending == calls }, patience, poll)
			<-began
			disturb(link)
			close(gate)
			for range calls - 1 {
				<-began
			}
			shutDown(t, server)
			link.Heal() // For the cleanups.
		})
	}
}

// clog fills a connection whose link hangs, so that its client holds its lock, until the link is
// healed.
func clog(t *testing.T, link *natstest.Link, conn *nats.Conn) {
	t.Helper()
	link.Hang()
	var published atomic.Int64
	var work sync.WaitGroup
	enough := make(chan struct{})
	work.Go(func() {
		data := make([]byte, 64<<10)
		for {
			select {
			case <-enough:
				return
			default:
			}
			if conn.Publish("nobody", data) != nil {
				return
			}
			published.Add(1)
		}
	})
	t.Cleanup(func() {
		link.Heal()
		work.Wait()
	})
	before := int64(0)
	require.Eventually(t, func() bool {
		now := published.Load()
		stuck := now > 0 && now == before
		before = now
		return stuck
	}, patience, 20*poll)
	close(enough)
}

// endsInTime checks that something ends soon after its context.
func endsInTime(t *testing.T, what string, end func(context.Context) error) {
	t.Helper()
	const timeout = 200 * time.Millisecond
	begin := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	err := end(ctx)
	assert.Less(t, time.Since(begin), patience/2, "%s: %v", what, err)
}

// What must hold when anything is closed whose connection takes nothing, because its link hangs:
// that ends soon after its context.
func TestCloseOnAClogOfTheLink(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, natstest.Options{JetStream: true})
	newStreams(t, s.Conn(t))
	link := natstest.NewLink(t, s.Addr())
	conn := link.Conn(t)
	n := nodeOn(t, "node", conn, remote.Limits{})
	process, err := mailbox.Spawn(n.sys, "sink", func(context.Context, post) error { return nil })
	require.NoError(t, err)
	served, err := remote.Serve(n.Node, "sink", process, remote.Protocol[post]{})
	require.NoError(t, err)
	group, err := remote.NewGroup(n.Node, "sessions", remote.Protocol[post]{})
	require.NoError(t, err)
	require.NoError(t, group.Join(process))
	queue, err := newQueue(conn)
	require.NoError(t, err)
	worker, err := mailbox.Spawn(n.sys, "worker", durable.Handler(
		func(context.Context, durable.Delivery[order]) error { return nil }))
	require.NoError(t, err)
	consumer, err := queue.Consume(t.Context(), worker)
	require.NoError(t, err)
	kind, err := newAccounts(t.Context(), n, func(context.Context, mailbox.Ref[order]) (mailbox.Instance[order], error) {
		return mailbox.Instance[order]{Handle: func(context.Context, order) error { return nil }}, nil
	})
	require.NoError(t, err)
	account, err := kind.GetOrSpawn(t.Context(), "account")
	require.NoError(t, err)
	require.NoError(t, account.Send(t.Context(), order{}))

	clog(t, link, conn)
	endsInTime(t, "what is served", served.Close)
	endsInTime(t, "a group", group.Close)
	endsInTime(t, "a consumer", consumer.Close)
	endsInTime(t, "a kind", kind.Close)
	endsInTime(t, "a node", n.Close)
	endsInTime(t, "a system", n.sys.Shutdown)
}
