// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// Three machines have sessions, and one of them tells all sessions something.
func ExampleNewGroup() {
	type Event struct{ Text string }
	server, err := natstest.Run(natstest.Options{}) // In production: servers of NATS.
	if err != nil {
		panic(err)
	}
	defer server.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	var told sync.WaitGroup
	machine := func(sessions int) (group *remote.Group[Event], end func()) {
		conn, err := natstest.Connect(server.URL()) // nats.Connect, with TLS and credentials.
		if err != nil {
			panic(err)
		}
		sys := mailbox.NewSystem()
		node, err := remote.NewNode(sys, conn)
		if err != nil {
			panic(err)
		}
		group, err = remote.NewGroup(node, "sessions", remote.Protocol[Event]{})
		if err != nil {
			panic(err)
		}
		for range sessions {
			session, err := mailbox.Spawn(sys, "session", func(context.Context, Event) error {
				told.Done()
				return nil
			})
			if err != nil {
				panic(err)
			}
			if err := group.Join(session); err != nil {
				panic(err)
			}
		}
		return group, func() {
			_ = node.Close(ctx) // The group too.
			_ = sys.Shutdown(ctx)
			conn.Close()
		}
	}
	first, endFirst := machine(100)
	defer endFirst()
	_, endSecond := machine(200)
	defer endSecond()
	_, endThird := machine(300)
	defer endThird()
	for first.Size() < 600 { // Until the nodes know each other, which takes a moment.
		time.Sleep(time.Millisecond)
	}

	told.Add(600)
	d := first.Broadcast(ctx, Event{Text: "hello"}) // Written once, sent to two other nodes.
	told.Wait()
	fmt.Printf("%d sessions on %d nodes were told: %v\n", d.Delivered, d.Nodes, d.Err)
	// Output: 600 sessions on 3 nodes were told: <nil>
}
