// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/waybill-go/waybill/internal/clock"
	"github.com/waybill-go/waybill/mailbox/remote/internal/members"
)

// lookInterval is how often a group looks whether members have ended.
const lookInterval = 250 * time.Millisecond

// Announcements that may wait in the client of NATS. Each node sends at most 20 a second. If
// some are lost, later ones say all that they said.
const (
	maxAnnouncements     = 1 << 14
	maxAnnouncementBytes = 4 << 20
)

// announcer is the part of a group that tells other nodes how many members there are here, and
// hears how many they have.
type announcer struct {
	node         *Node
	name         string
	subject, own string // where all announce themselves, and where this node takes broadcasts
	table        *members.Table
	size         func() int // members here

	sub     *nats.Subscription
	wake    chan struct{} // there may be something to announce
	out     chan []byte   // the latest announcement, to be sent
	done    chan struct{} // closed by stop
	left    chan struct{} // closed when nothing more is sent
	running sync.WaitGroup
}

func newAnnouncer(node *Node, name, id string, size func() int) (*announcer, error) {
	all, own, token, err := node.groupSubjects(name, id)
	if err != nil {
		return nil, err
	}
	return &announcer{
		node: node, name: name, subject: all, own: own, size: size,
		table: members.New(members.Config{
			Node: token, Session: uint64(time.Now().UnixNano()), Prefix: all + ".",
		}),
		wake: make(chan struct{}, 1), out: make(chan []byte, 1), done: make(chan struct{}), left: make(chan struct{}),
	}, nil
}

// start subscribes, and begins to announce. All that asks the connection for something has a
// goroutine of its own: while the client of NATS makes a connection, it lets everybody wait.
func (a *announcer) start() (err error) {
	if a.sub, err = a.node.conn.Subscribe(a.subject, a.receive); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	a.running.Go(a.run)
	go a.send()
	if err = a.sub.SetPendingLimits(maxAnnouncements, maxAnnouncementBytes); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	return nil
}

func (a *announcer) receive(m *nats.Msg) {
	heard := a.table.Receive(time.Duration(clock.Now()), m.Data)
	if heard.Ask {
		a.changed()
	}
	if heard.Namesake {
		a.node.tell(namesake, a.subject, nil)
	}
}

// changed says that there may be something to announce. It does not block.
func (a *announcer) changed() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// run announces, and forgets nodes that are silent, until stop is called.
func (a *announcer) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-a.done:
			return
		case <-a.wake:
		case <-timer.C:
		}
		data, wait := a.table.Tick(time.Duration(clock.Now()), a.size())
		if data != nil {
			a.hand(data)
		}
		timer.Reset(min(wait, lookInterval))
	}
}

// hand has an announcement sent, in place of an earlier one that has not been.
func (a *announcer) hand(data []byte) {
	select {
	case <-a.out:
	default:
	}
	a.out <- data // There is room, because nobody else hands over.
}

// send sends announcements until stop is called, and then that the node is gone.
func (a *announcer) send() {
	defer close(a.left)
	conn := a.node.conn
	var reconnects uint64
	for {
		select {
		case <-a.done:
			_ = a.sub.Unsubscribe() // An error means that the connection is closed.
			a.publish(a.table.Leave())
			return
		case data := <-a.out:
			if n := conn.Stats().Reconnects; n != reconnects {
				reconnects = n
				a.table.Ask() // Others may have come and gone.
				a.changed()
			}
			a.publish(data)
		}
	}
}

// publish sends an announcement. Without a connection it does not: what is buffered until there
// is one would be out of date.
func (a *announcer) publish(data []byte) {
	if !a.node.conn.IsConnected() {
		return
	}
	if err := a.node.conn.Publish(a.subject, data); err != nil {
		a.node.tell(notSent, a.subject, err) // The next one says all that it said.
	}
}

// stop ends the announcements, and waits until others are told, or until ctx ends.
func (a *announcer) stop(ctx context.Context) {
	close(a.done)
	a.running.Wait()
	if a.sub == nil {
		return
	}
	select {
	case <-a.left:
	case <-ctx.Done():
	}
}
