// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/durable"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// A message is delivered until it was handled, and goes to the dead letters if that never
// works.
func Example() {
	js, end := serve()
	ctx := context.Background()

	type Order struct{ Item string }
	queue, err := durable.New(js, durable.Config[Order]{
		Stream: "ORDERS", Subject: "orders", Consumer: "shipping", DeadLetter: "dead.orders",
		MaxDeliver: 2, Backoff: []time.Duration{10 * time.Millisecond},
	})
	if err != nil {
		log.Fatal(err)
	}
	sys := mailbox.NewSystem()
	done := make(chan bool)
	ref, err := mailbox.Spawn(sys, "shipping", durable.Handler(
		func(_ context.Context, d durable.Delivery[Order]) error {
			fmt.Printf("%s, attempt %d\n", d.Message.Item, d.Attempt)
			if d.Message.Item == "a broken lamp" {
				return errors.New("it cannot be shipped")
			}
			defer close(done)
			return nil
		}))
	if err != nil {
		log.Fatal(err)
	}
	consumer, err := queue.Consume(ctx, ref)
	if err != nil {
		log.Fatal(err)
	}

	for _, item := range []string{"a broken lamp", "a lamp"} {
		if _, err = queue.Publish(ctx, Order{item}); err != nil { // Stored now.
			log.Fatal(err)
		}
		for item == "a broken lamp" && queue.Stats().DeadLetters.Failed == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	<-done
	if err = consumer.Close(ctx); err != nil { // What was taken is handled.
		log.Fatal(err)
	}
	_ = sys.Shutdown(ctx)

	dead, err := js.Stream(ctx, "DEAD")
	if err != nil {
		log.Fatal(err)
	}
	letter, err := dead.GetMsg(ctx, 1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(letter.Data), letter.Header.Get(durable.HeaderError))
	end()
	// Output:
	// a broken lamp, attempt 1
	// a broken lamp, attempt 2
	// a lamp, attempt 1
	// {"Item":"a broken lamp"} it cannot be shipped
}

// serve runs a server with two streams. A program would connect to one that runs anyway.
func serve() (jetstream.JetStream, func()) {
	dir, err := os.MkdirTemp("", "durable")
	if err != nil {
		log.Fatal(err)
	}
	server, err := natstest.Run(natstest.Options{JetStream: true, StoreDir: dir})
	if err != nil {
		log.Fatal(err)
	}
	conn, err := natstest.Connect(server.URL())
	if err != nil {
		log.Fatal(err)
	}
	js, err := jetstream.New(conn)
	if err != nil {
		log.Fatal(err)
	}
	for name, subject := range map[string]string{"ORDERS": "orders", "DEAD": "dead.>"} {
		_, err = js.CreateStream(context.Background(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}})
		if err != nil {
			log.Fatal(err)
		}
	}
	return js, func() {
		conn.Close()
		server.Stop()
		_ = os.RemoveAll(dir)
	}
}
