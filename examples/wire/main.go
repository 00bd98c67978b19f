// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command wire sends messages of Protocol Buffers over a connection, bare and
// wrapped, as in a fleet that is being upgraded, and prints what arrives.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/examples/guild/guildpb"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "wire:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	provider := sdktrace.NewTracerProvider()
	sender, receiver := net.Pipe()
	sent := make(chan error, 1)
	go func() {
		err := send(ctx, sender, provider.Tracer("github.com/waybill-go/waybill/examples/wire"))
		sent <- errors.Join(err, sender.Close())
	}()
	err := receive(ctx, receiver, out)
	_ = receiver.Close() // So that the sender ends, even after an error here.
	return errors.Join(err, <-sent)
}

// send writes one bare message. Then it turns the switch and writes a wrapped one.
func send(ctx context.Context, w io.Writer, tracer trace.Tracer) error {
	var wraps atomic.Bool
	requests := NewProtoConfig[guildpb.PublishRequest]()
	requests.Wrap = wraps.Load
	for i, content := range []string{"hello", "hello again"} {
		wraps.Store(i > 0)
		ctx, span := tracer.Start(ctx, "publish")
		message := &guildpb.PublishRequest{GuildId: 7, MessageId: int64(i + 1), Author: "ada", Content: content}
		frame, err := requests.Append(make([]byte, 4), envelope.Wrap(ctx, message))
		span.End()
		if err != nil {
			return err
		}
		binary.BigEndian.PutUint32(frame, uint32(len(frame)-4)) //nolint:gosec // A few bytes.
		if _, err := w.Write(frame); err != nil {
			return err
		}
	}
	return nil
}

// mostBytes is more than the size of any message here.
const mostBytes = 1 << 16

// receive reads messages, bare or wrapped, until there are no more. It believes the
// traces, because both ends are ours. If strangers can write, the configuration needs a
// Boundary.
func receive(ctx context.Context, r io.Reader, out io.Writer) error {
	requests := NewProtoConfig[guildpb.PublishRequest]()
	for {
		var size uint32
		if err := binary.Read(r, binary.BigEndian, &size); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if size > mostBytes {
			return fmt.Errorf("a message of %d bytes", size)
		}
		data := make([]byte, size)
		if _, err := io.ReadFull(r, data); err != nil {
			return err
		}
		e, err := requests.Decode(data)
		if err != nil {
			return err
		}
		ctx, message := e.Unwrap(ctx)
		fmt.Fprintf(out, "%s: %s (in a trace: %v)\n", message.GetAuthor(), message.GetContent(),
			trace.SpanContextFromContext(ctx).IsSampled())
	}
	counts := requests.Counters.Counts()
	fmt.Fprintf(out, "%d bare, %d wrapped\n", counts.Bare, counts.Wrapped)
	return nil
}
