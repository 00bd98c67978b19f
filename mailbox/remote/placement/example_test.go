// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
	"github.com/waybill-go/waybill/mailbox/remote/placement"
)

// cartMsg is a message to a shopping cart.
type cartMsg interface{ isCart() }

type (
	put   struct{ Item string }
	items struct{ reply mailbox.Reply[[]string] }
)

func (put) isCart()   {}
func (items) isCart() {}

var carts = remote.Protocol[cartMsg]{
	Codec: remote.Variants(map[string]cartMsg{"put": put{}, "items": items{}}),
	Calls: []remote.CallType[cartMsg]{
		remote.Answered[cartMsg](func(q *items) *mailbox.Reply[[]string] { return &q.reply }, nil),
	},
}

// newCart makes the carts of a node. They save what is in them.
func newCart(states *placement.State) mailbox.Factory[cartMsg] {
	return func(ctx context.Context, _ mailbox.Ref[cartMsg]) (mailbox.Instance[cartMsg], error) {
		var cart []string
		saved, err := states.Load(ctx)
		if err == nil && saved != nil {
			err = json.Unmarshal(saved, &cart)
		}
		save := func(ctx context.Context) error {
			data, err := json.Marshal(cart)
			if err != nil {
				return err
			}
			return states.Save(ctx, data) // Refused if another node owns the cart.
		}
		handle := func(ctx context.Context, m cartMsg) error {
			switch m := m.(type) {
			case put:
				cart = append(cart, m.Item)
				return save(ctx) // Now, and not only when the node leaves: it may be lost.
			case items:
				m.reply.Answer(cart)
			}
			return nil
		}
		return mailbox.Instance[cartMsg]{Handle: handle, Save: save}, err
	}
}

// The same cart is found from both nodes. When the node leaves that has it, the other takes it
// over.
func Example() {
	ctx := context.Background()
	server, end := startServer()
	first, closeFirst := startNode(ctx, server.URL())
	second, closeSecond := startNode(ctx, server.URL())

	for item, node := range map[string]*placement.Kind[cartMsg]{"a lamp": first, "a chair": second} {
		cart, err := node.GetOrSpawn(ctx, "of Ann")
		if err != nil {
			log.Fatal(err)
		}
		if err = cart.Send(ctx, put{item}); err != nil {
			log.Fatal(err)
		}
		fmt.Println(itemsIn(ctx, node))
	}
	closeFirst()
	fmt.Println(itemsIn(ctx, second))
	closeSecond()
	end()
	// Output:
	// 1
	// 2
	// 2
}

// startNode makes a node that runs carts, and returns a function that ends it.
func startNode(ctx context.Context, url string) (kind *placement.Kind[cartMsg], end func()) {
	conn, err := nats.Connect(url)
	if err != nil {
		log.Fatal(err)
	}
	sys := mailbox.NewSystem()
	node, err := remote.NewNode(sys, conn)
	if err != nil {
		log.Fatal(err)
	}
	js, err := jetstream.New(conn)
	if err != nil {
		log.Fatal(err)
	}
	states, err := placement.NewState(ctx, js, placement.StateConfig{Bucket: "carts"})
	if err != nil {
		log.Fatal(err)
	}
	kind, err = placement.NewKind(ctx, node, js, "cart", carts, placement.Config[cartMsg]{Factory: newCart(states)})
	if err != nil {
		log.Fatal(err)
	}
	return kind, func() {
		// The carts go to other nodes first; the node still hands messages on meanwhile.
		if err := errors.Join(kind.Close(ctx), node.Close(ctx), sys.Shutdown(ctx)); err != nil {
			log.Fatal(err)
		}
		conn.Close()
	}
}

// itemsIn returns how many items are in the cart, as that node sees it.
func itemsIn(ctx context.Context, kind *placement.Kind[cartMsg]) int {
	cart, err := kind.GetOrSpawn(ctx, "of Ann")
	if err != nil {
		log.Fatal(err)
	}
	all, err := mailbox.Call(ctx, cart, func(r mailbox.Reply[[]string]) cartMsg { return items{r} })
	if err != nil {
		log.Fatal(err)
	}
	return len(all)
}

// startServer runs a server in this program. In production it is a cluster.
func startServer() (server *natstest.Server, end func()) {
	dir, err := os.MkdirTemp("", "placement")
	if err != nil {
		log.Fatal(err)
	}
	if server, err = natstest.Run(natstest.Options{JetStream: true, StoreDir: dir}); err != nil {
		log.Fatal(err)
	}
	return server, func() {
		server.Stop()
		_ = os.RemoveAll(dir)
	}
}
