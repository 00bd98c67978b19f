// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// books are all counts of a run that has ended.
type books struct {
	here, there remote.Stats
	// What the senders and the handlers have counted themselves.
	sent, called, foreign, handled uint64
	proxies, processes             mailbox.Stats
}

// balance returns what does not add up.
func (b *books) balance() error {
	var errs []error
	equal := func(what string, one, other uint64) {
		if one != other {
			errs = append(errs, fmt.Errorf("%s: %d and %d", what, one, other))
		}
	}
	here, there := b.here, b.there
	equal("taken by the references, and what they did", b.sent+b.called, here.Sent+here.NotSent.Total())
	equal("handled by the references, and sent", b.proxies.Handled, here.Sent)
	equal("failed in the references, and not sent", b.proxies.Failed, here.NotSent.Total())
	equal("sent, and received or dropped", here.Sent+b.foreign, there.Received+there.Dropped)
	equal("received, and what became of it", there.Received,
		there.Delivered+there.Refused.Total()+there.Undecodable+there.Oversized+there.Served.Calls)
	equal("calls served, and their ends", there.Served.Calls, there.Served.Answered+there.Served.Failed)
	calls := here.Calls
	equal("calls made, and their ends", b.called,
		calls.Answered+calls.Failed+calls.TimedOut+calls.Cancelled+here.NotSent.Full)
	equal("calls that wait", calls.Pending+there.Served.Pending, 0)
	equal("handled, by the handlers and by the mailboxes", b.handled, b.processes.Handled)
	equal("accepted, and what became of it", b.processes.Accepted, b.processes.Handled+b.processes.DeadLetters.Total())
	if delivered := there.Delivered; b.processes.Accepted < delivered || b.processes.Accepted > delivered+there.Served.Calls {
		errs = append(errs, fmt.Errorf("accepted: %d, of %d messages and %d calls", b.processes.Accepted, delivered, there.Served.Calls))
	}
	return errors.Join(errs...)
}

// chaos are senders to processes that cannot keep up.
type chaos struct {
	books

	t           *testing.T
	here, there *machine
	refs        []mailbox.Ref[ask]
	counts      struct{ sent, called, foreign, handled atomic.Uint64 }
}

func newChaos(t *testing.T) *chaos {
	t.Helper()
	server := natstest.Start(t, natstest.Options{})
	c := &chaos{t: t}
	c.here = newMachine(t, server, remote.WithLimits(remote.Limits{MaxCalls: 30}))
	c.there = newMachine(t, server, remote.WithLimits(remote.Limits{MaxServed: 20, MaxMessage: 1000, MaxPending: 100}))
	for i, overflow := range []mailbox.Overflow{mailbox.Wait, mailbox.Refuse, mailbox.DropOldest} {
		on := fmt.Sprint("asks.", i)
		process := spawn(t, c.there, c.handle, mailbox.WithCapacity(5), mailbox.WithOverflow(overflow))
		serveRef(t, c.there, on, process, asks())
		c.refs = append(c.refs, refTo(t, c.here, on, asks(), mailbox.WithCapacity(50)))
	}
	return c
}

// handle is slow now and then.
func (c *chaos) handle(_ context.Context, a ask) error {
	c.counts.handled.Add(1)
	if a.Number%7 == 0 {
		time.Sleep(time.Duration(a.Number%5) * 100 * time.Microsecond)
	}
	a.reply.Answer("done")
	return nil
}

// work sends n messages, one after the other.
func (c *chaos) work(random *rand.Rand, n int) {
	for range n {
		ref := c.refs[random.IntN(len(c.refs))]
		number := random.IntN(1000)
		switch random.IntN(10) {
		case 0:
			c.foreign(ref.ID(), "no ask")
		case 1:
			c.foreign(ref.ID(), strings.Repeat("x", 2000))
		case 2, 3, 4:
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(random.IntN(20))*time.Millisecond)
			if random.IntN(2) == 0 {
				time.AfterFunc(time.Duration(random.IntN(10))*time.Millisecond, cancel)
			}
			_, _ = asking(ctx, ref, number)
			cancel()
		default:
			if ref.Send(context.Background(), ask{Number: number}) == nil {
				c.counts.sent.Add(1)
			}
		}
	}
}

func (c *chaos) foreign(on, payload string) {
	if c.here.conn.Publish(on, []byte(payload)) == nil {
		c.counts.foreign.Add(1)
	}
}

// close waits for the end of everything, and returns what was counted.
func (c *chaos) close() *books {
	t := c.t
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, c.here.sys.Shutdown(ctx))
	require.NoError(t, c.here.conn.Flush())
	require.NoError(t, c.there.node.Close(ctx))
	require.NoError(t, c.there.sys.Shutdown(ctx))
	eventually(t, func() bool { return c.here.node.Stats().Calls.Pending == 0 })
	b := &c.books
	b.here, b.there = c.here.node.Stats(), c.there.node.Stats()
	b.proxies, b.processes = c.here.sys.KindStats()["proxy"], c.there.sys.KindStats()["served"]
	b.foreign, b.handled = c.counts.foreign.Load(), c.counts.handled.Load()
	// A call that ended before its reference handled it was none for the node.
	b.sent = c.counts.sent.Load()
	b.called = b.proxies.Accepted - b.proxies.DeadLetters.Total() - b.sent
	return b
}

// Whatever happens to messages and calls on their way, they are all accounted for.
func TestConservation(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	c := newChaos(t)
	var senders sync.WaitGroup
	for i := range uint64(8) {
		senders.Go(func() { c.work(rand.New(rand.NewPCG(seed, i)), 500) })
	}
	senders.Wait()
	b := c.close()
	t.Logf("here %+v", b.here)
	t.Logf("there %+v", b.there)
	require.NoError(t, b.balance())
	require.Positive(t, b.there.Delivered)
	require.Positive(t, b.there.Undecodable)
	require.Positive(t, b.there.Oversized)
	require.Positive(t, b.there.Served.Answered)

	for name, lose := range map[string]func(*books){ // The test must notice each.
		"sent":      func(b *books) { b.here.Sent-- },
		"not sent":  func(b *books) { b.here.NotSent.Connection++ },
		"received":  func(b *books) { b.there.Received-- },
		"dropped":   func(b *books) { b.there.Dropped++ },
		"delivered": func(b *books) { b.there.Delivered-- },
		"refused":   func(b *books) { b.there.Refused.Full++ },
		"served":    func(b *books) { b.there.Served.Answered-- },
		"called":    func(b *books) { b.here.Calls.Cancelled++ },
		"pending":   func(b *books) { b.here.Calls.Pending++ },
		"handled":   func(b *books) { b.handled++ },
	} {
		wrong := *b
		lose(&wrong)
		require.Error(t, wrong.balance(), name)
	}
}
