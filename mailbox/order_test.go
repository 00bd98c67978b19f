// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// numbered is a message that knows its sender and its place in that one's order.
type numbered struct {
	sender, number int
	reply          mailbox.Reply[int]
}

// orderly is a handler that finds out whether messages come one at a time and
// each sender's in order. It uses no lock on purpose: the race detector is
// the second witness.
type orderly struct {
	inside  atomic.Int32
	overlap atomic.Int32
	last    map[int]int
	swapped []string
	seen    int
}

func (o *orderly) handle(_ context.Context, m numbered) error {
	if o.inside.Add(1) != 1 {
		o.overlap.Add(1)
	}
	if last, ok := o.last[m.sender]; ok && m.number <= last {
		o.swapped = append(o.swapped, fmt.Sprintf("sender %d: %d after %d", m.sender, m.number, last))
	}
	o.last[m.sender] = m.number
	o.seen++
	m.reply.Answer(m.number)
	o.inside.Add(-1)
	return nil
}

func TestOrderOfEachSenderHolds(t *testing.T) {
	const senders, each = 8, 500
	for _, overflow := range []mailbox.Overflow{mailbox.Wait, mailbox.Refuse, mailbox.DropOldest} {
		for _, capacity := range []int{1, 7, 2 * senders * each} {
			opts := []mailbox.KindOption{mailbox.WithCapacity(capacity), mailbox.WithOverflow(overflow)}
			name := fmt.Sprintf("overflow %d capacity %d", overflow, capacity)
			t.Run(name, func(t *testing.T) { orderHolds(t, senders, each, capacity > senders*each, opts...) })
			t.Run(name+" own goroutine", func(t *testing.T) {
				orderHolds(t, senders, each, capacity > senders*each, append(opts, mailbox.WithDedicatedGoroutine())...)
			})
		}
	}
}

func orderHolds(t *testing.T, senders, each int, roomForAll bool, opts ...mailbox.KindOption) {
	t.Helper()
	sys := newSystem(t)
	o := &orderly{last: make(map[int]int)}
	ref := spawn(t, sys, "orderly", o.handle, opts...)
	group := newGroup[numbered](t, sys, "orderly")
	require.NoError(t, group.Join(ref))

	var wg sync.WaitGroup
	for sender := range senders {
		wg.Go(func() { sendInTurn(t, ref, group, sender, each) })
	}
	wg.Wait()
	drain(t, sys)

	assert.Empty(t, o.swapped)
	assert.Zero(t, o.overlap.Load(), "two messages at a time")
	s := sys.Stats()
	requireAtRest(t, s)
	assert.EqualValues(t, o.seen, s.Handled)
	if roomForAll {
		assert.Equal(t, senders*each, o.seen, "nothing may be refused")
	}
}

// sendInTurn sends by all the ways there are, each message after the one before.
func sendInTurn(t *testing.T, ref mailbox.Ref[numbered], group *mailbox.Group[numbered], sender, each int) {
	for number := range each {
		m := numbered{sender: sender, number: number}
		switch number % 4 {
		case 0:
			_ = ref.Send(t.Context(), m)
		case 1:
			_ = ref.TrySend(t.Context(), m)
		case 2:
			group.Broadcast(t.Context(), m)
		case 3:
			answer, err := mailbox.Call(t.Context(), ref, func(r mailbox.Reply[int]) numbered {
				m.reply = r
				return m
			})
			if err == nil {
				assert.Equal(t, number, answer)
			}
		}
	}
}

func TestOrderOfWaitingSendersHolds(t *testing.T) {
	// One sender after another comes to wait, all for the same full mailbox:
	// they get in as they came.
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		var order []int
		ref := spawn(t, sys, "worker", do, mailbox.WithCapacity(1))
		first, entered, release := hold()
		require.NoError(t, ref.Send(t.Context(), first))
		await(t, entered)
		note := func(i int) job {
			return func(context.Context) error {
				order = append(order, i)
				return nil
			}
		}
		require.NoError(t, ref.Send(t.Context(), note(0)))
		for i := 1; i <= 5; i++ {
			go func() { assert.NoError(t, ref.Send(t.Context(), note(i))) }()
			settle()
		}
		require.EqualValues(t, 5, sys.Stats().Waiting)
		release()
		settle()
		drain(t, sys)
		assert.Equal(t, []int{0, 1, 2, 3, 4, 5}, order)
	})
}
