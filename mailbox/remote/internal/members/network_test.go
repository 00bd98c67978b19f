// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package members_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/waybill-go/waybill/mailbox/remote/internal/members"
)

// member is a node of a simulated network.
type member struct {
	name  string
	table *members.Table
	size  int
	next  time.Duration // When it ticks again.
	inbox []envelope
}

type envelope struct {
	data []byte
	due  time.Duration
}

// network is nodes and what is on its way between them.
type network struct {
	now   time.Duration
	nodes []*member
	made  uint64
	sent  int
}

func (n *network) add(name string) {
	n.made++
	table := members.New(members.Config{Node: name, Session: n.made, Prefix: "p."})
	n.nodes = append(n.nodes, &member{name: name, table: table, next: n.now})
}

// publish sends to all nodes, in order, each after a time of its own.
func (n *network) publish(data []byte, delay func() time.Duration) {
	n.sent++
	for _, m := range n.nodes {
		due := n.now + delay()
		if len(m.inbox) > 0 {
			due = max(due, m.inbox[len(m.inbox)-1].due)
		}
		m.inbox = append(m.inbox, envelope{data, due})
	}
}

// run lets the time pass.
func (n *network) run(by time.Duration, delay func() time.Duration) {
	const step = 5 * time.Millisecond
	for end := n.now + by; n.now < end; n.now += step {
		for _, m := range n.nodes {
			for len(m.inbox) > 0 && m.inbox[0].due <= n.now {
				if m.table.Receive(n.now, m.inbox[0].data).Ask {
					m.next = n.now
				}
				m.inbox = m.inbox[1:]
			}
			if m.next > n.now {
				continue
			}
			send, wait := m.table.Tick(n.now, m.size)
			m.next = n.now + wait
			if send != nil {
				n.publish(send, delay)
			}
		}
	}
}

// Whatever nodes do, soon after it each knows the sizes of all the others, and of no one else.
func TestNetwork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := &network{now: start}
		most := time.Duration(rapid.IntRange(0, 100).Draw(t, "delay")) * time.Millisecond
		delay := func() time.Duration {
			if most == 0 {
				return 0
			}
			return time.Duration(rapid.Int64Range(0, int64(most)).Draw(t, "took"))
		}
		dead := false
		for i := range rapid.IntRange(1, 15).Draw(t, "events") {
			pick := func() int { return rapid.IntRange(0, len(n.nodes)-1).Draw(t, "node") }
			switch event := rapid.IntRange(0, 5).Draw(t, "event"); {
			case event <= 1 || len(n.nodes) == 0:
				n.add(fmt.Sprint("n", i))
			case event <= 3:
				m := n.nodes[pick()]
				m.size = rapid.IntRange(0, 1000).Draw(t, "size")
				m.next = n.now
			case event == 4: // It leaves, and is started again perhaps.
				at := pick()
				m := n.nodes[at]
				n.nodes = slices.Delete(n.nodes, at, at+1)
				n.publish(m.table.Leave(), delay)
				if rapid.Bool().Draw(t, "again") {
					n.add(m.name)
				}
			default: // It dies.
				at := pick()
				n.nodes = slices.Delete(n.nodes, at, at+1)
				dead = true
			}
			n.run(time.Duration(rapid.IntRange(0, 300).Draw(t, "pause"))*time.Millisecond, delay)
		}
		settle := 3 * (members.Coalesce + most)
		if dead {
			settle = 3*time.Second + most
		}
		n.run(settle, delay)
		for _, m := range n.nodes {
			var want []members.Node
			for _, other := range n.nodes {
				if other != m && other.size > 0 {
					want = append(want, members.Node{Name: other.name, Subject: "p." + other.name, Members: other.size})
				}
			}
			got := m.table.View()
			require.ElementsMatch(t, want, got.Nodes)
			require.Equal(t, len(n.nodes)-1, got.Known)
			require.Equal(t, members.Stats{Left: m.table.Stats().Left, Silent: m.table.Stats().Silent}, m.table.Stats())
		}
	})
}
