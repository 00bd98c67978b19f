// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// connect returns a connection to a server that ends with the example.
func connect() (conn *nats.Conn, end func()) {
	server, err := natstest.Run(natstest.Options{}) // In production: servers of NATS.
	if err != nil {
		panic(err)
	}
	conn, err = natstest.Connect(server.URL()) // nats.Connect, with TLS and credentials.
	if err != nil {
		panic(err)
	}
	return conn, func() {
		conn.Close()
		server.Stop()
	}
}

// A guild lives on one machine. Another one sends to it and calls it.
func Example() {
	conn, end := connect()
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	served, stop, stopped := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() { // On the machine where the guild is.
		sys := mailbox.NewSystem()
		node, err := remote.NewNode(sys, conn)
		if err != nil {
			panic(err)
		}
		guild, err := mailbox.Spawn(sys, "guild", handleGuild())
		if err != nil {
			panic(err)
		}
		if _, err := remote.Serve(node, "guild.42", guild, protocol); err != nil {
			panic(err)
		}
		close(served)
		<-stop
		stopped <- node.Close(ctx)
		stopped <- sys.Shutdown(ctx)
	}()
	<-served

	sys := mailbox.NewSystem() // On any other machine.
	node, err := remote.NewNode(sys, conn)
	if err != nil {
		panic(err)
	}
	fmt.Println(useGuild(ctx, node))
	close(stop)
	fmt.Println(<-stopped, <-stopped)
	fmt.Println(useGuild(ctx, node))
	fmt.Println(node.Close(ctx), sys.Shutdown(ctx))
	// Output:
	// 1 published
	// <nil>
	// <nil> <nil>
	// guild 42 is not there
	// <nil> <nil>
}

func ExampleNewNode() {
	conn, end := connect()
	defer end()
	sys := mailbox.NewSystem()
	node, err := remote.NewNode(sys, conn,
		remote.WithID("api-1"),
		remote.WithLimits(remote.Limits{MaxMessage: 64 << 10, CallTimeout: 5 * time.Second}))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(node.ID(), node.Prefix())
	fmt.Println(node.Close(context.Background()), sys.Shutdown(context.Background()))
	// Output:
	// api-1 waybill
	// <nil> <nil>
}

// Several processes share the work on one subject. Programs that have only NATS can send too.
func ExampleServe() {
	conn, end := connect()
	defer end()
	sys := mailbox.NewSystem()
	node, err := remote.NewNode(sys, conn)
	if err != nil {
		panic(err)
	}
	worker, err := mailbox.Spawn(sys, "worker", func(_ context.Context, work string) error {
		fmt.Println("work:", work)
		return nil
	})
	if err != nil {
		panic(err)
	}
	served, err := remote.Serve(node, "work", worker, remote.Protocol[string]{}, remote.WithQueue("workers"))
	if err != nil {
		panic(err)
	}
	answer, err := conn.Request("work", []byte(`"a lamp"`), time.Minute)
	if err != nil {
		panic(err)
	}
	_ = served.Close(context.Background())
	_ = sys.Shutdown(context.Background())
	fmt.Printf("taken: %q\n", answer.Data)
	// Output:
	// work: a lamp
	// taken: ""
}

func ExampleNewRef() {
	conn, end := connect()
	defer end()
	sys := mailbox.NewSystem()
	node, err := remote.NewNode(sys, conn)
	if err != nil {
		panic(err)
	}
	// If the connection cannot keep up, the oldest of 100 messages gives way.
	guild, err := remote.NewRef(node, "guild", "guild.42", protocol,
		mailbox.WithCapacity(100), mailbox.WithOverflow(mailbox.DropOldest))
	if err != nil {
		panic(err)
	}
	fmt.Println(guild.Kind(), guild.ID())
	_, err = mailbox.Call(context.Background(), guild, func(r mailbox.Reply[Stats]) GuildMsg { return GetStats{r} })
	fmt.Println(err)
	_ = node.Close(context.Background())
	_ = sys.Shutdown(context.Background())
	// Output:
	// guild guild.42
	// remote: guild.42: nobody serves it
}

func ExampleVariants() {
	codec := remote.Variants(map[string]GuildMsg{"publish": Publish{}, "stats": GetStats{}})
	data, err := codec.Append(nil, Publish{Text: "hello"})
	fmt.Println(string(data), err)
	_, err = codec.Decode([]byte(`{"type":"delete","message":{}}`))
	fmt.Println(err)
	// Output:
	// {"type":"publish","message":{"Text":"hello"}} <nil>
	// a message of the unknown type "delete"
}

func ExampleAnswered() {
	// Any message type may be a call: it holds the Reply, and this says where.
	calls := []remote.CallType[GuildMsg]{
		remote.Answered[GuildMsg](func(q *GetStats) *mailbox.Reply[Stats] { return &q.reply }, nil),
	}
	fmt.Println(len(calls))
	// Output: 1
}
