// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command hub runs a hub of WebSocket clients, each of which gets what any of them says, and
// prints the trace of a message. See the README beside it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/coder/websocket"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	hub "github.com/waybill-go/waybill/examples/hub/after"
	"github.com/waybill-go/waybill/examples/internal/record"
	"github.com/waybill-go/waybill/examples/internal/report"
	"github.com/waybill-go/waybill/internal/traces"
	"github.com/waybill-go/waybill/sampling/fanout"
)

func main() {
	var c config
	flag.IntVar(&c.sockets, "clients", 100, fmt.Sprintf("how many clients connect by WebSocket, at most %d", maxClients))
	flag.IntVar(&c.memory, "memory", 0, "how many clients connect in memory")
	flag.IntVar(&c.messages, "messages", 3, "how many messages the first client sends")
	flag.IntVar(&c.shards, "shards", 1, "how many goroutines the clients are divided among")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, c); err != nil {
		fmt.Fprintln(os.Stderr, "hub:", err)
		os.Exit(1)
	}
}

type config struct{ sockets, memory, messages, shards int }

var errFlags = fmt.Errorf("-clients must be from 1 to %d, and no number may be negative", maxClients)

func run(ctx context.Context, out io.Writer, c config) error {
	if c.sockets < 1 || c.sockets > maxClients || min(c.memory, c.messages, c.shards) < 0 {
		return errFlags
	}
	recorder := record.New(traces.Config{})
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName("hub"))),
		sdktrace.WithSpanProcessor(recorder),
	)
	otel.SetTracerProvider(provider)
	chat, err := fanout.New("chat")
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(hub.ErrClosed)
	r := &room{hub: hub.New(chat), stop: stop, joined: make(chan struct{}), got: make(chan struct{})}
	r.running.Go(func() {
		if c.shards > 1 {
			r.hub.RunSharded(ctx, c.shards)
		} else {
			r.hub.Run(ctx)
		}
	})
	door, url, err := open(ctx, r.hub)
	if err != nil {
		return err
	}
	err = r.talk(ctx, url, c)
	stop(hub.ErrClosed)
	err = errors.Join(err, door.close())
	r.running.Wait()
	if err != nil {
		return err
	}
	if err := report.WriteLast(out, recorder); err != nil {
		return err
	}
	s := chat.Stats()
	fmt.Fprintf(out, "hub: %d messages were delivered, %d refused\n", s.Delivered, s.Refused)
	return provider.Shutdown(context.WithoutCancel(ctx))
}

// room is a hub with clients that count what they get.
type room struct {
	hub         *hub.Hub
	running     sync.WaitGroup
	stop        context.CancelCauseFunc // called by a client that fails
	joined, got chan struct{}           // one for each client, and for each message to a client
}

// talk lets the clients connect. The first of them sends each message when all have got the
// one before.
func (r *room) talk(ctx context.Context, url string, c config) error {
	var first *websocket.Conn
	for range c.sockets {
		conn, _, err := websocket.Dial(ctx, url, nil) //nolint:bodyclose // Dial does.
		if err != nil {
			return err
		}
		if first == nil {
			first = conn
		}
		r.running.Go(func() { r.listen(ctx, conn) })
	}
	for range c.memory {
		conn := newMemory(func() { tell(ctx, r.joined) }, func([]byte) { tell(ctx, r.got) })
		r.running.Go(func() { r.hub.Serve(ctx, conn) })
	}
	clients := c.sockets + c.memory
	if err := await(ctx, r.joined, clients); err != nil {
		return err
	}
	for i := range c.messages {
		if err := first.Write(ctx, websocket.MessageText, fmt.Appendf(nil, "message %d", i+1)); err != nil {
			return err
		}
		if err := await(ctx, r.got, clients); err != nil {
			return err
		}
	}
	return nil
}

// listen reads what a client gets until the hub closes its connection.
func (r *room) listen(ctx context.Context, conn *websocket.Conn) {
	defer conn.CloseNow() //nolint:errcheck // There is nothing more to read.
	reading := context.WithoutCancel(ctx)
	for {
		_, text, err := conn.Read(reading)
		switch {
		case websocket.CloseStatus(err) == websocket.StatusGoingAway:
			return
		case err != nil:
			r.stop(fmt.Errorf("a client has lost its connection: %w", err))
			return
		case string(text) == welcome:
			tell(ctx, r.joined)
		default:
			tell(ctx, r.got)
		}
	}
}

func tell(ctx context.Context, ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	case <-ctx.Done():
	}
}

func await(ctx context.Context, ch <-chan struct{}, n int) error {
	for range n {
		select {
		case <-ch:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
