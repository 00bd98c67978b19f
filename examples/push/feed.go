// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/examples/push/pushpb"
	"github.com/waybill-go/waybill/propagate/grpcstream"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// queue is how many prices may wait for a subscriber.
const queue = 16

// maxSymbol is how many bytes a symbol may have.
const maxSymbol = 64

var (
	errSlow   = status.Error(codes.ResourceExhausted, "the subscriber cannot keep up")
	errFull   = status.Error(codes.ResourceExhausted, "there are too many subscribers")
	errSymbol = status.Errorf(codes.InvalidArgument, "a symbol has 1 to %d bytes", maxSymbol)
	errClosed = status.Error(codes.Unavailable, "the feed is closed")
)

// price is what waits for a subscriber: a price that is encoded once for all of them, and
// the header of this one.
type price = envelope.Envelope[*grpcstream.Encoded[pushpb.Price]]

// feed is the service.
type feed struct {
	pushpb.UnimplementedFeedServer

	prices *fanout.Fanout
	limit  int // of subscribers
	closed <-chan struct{}

	mu          sync.Mutex
	subscribers map[chan price]struct{}
}

// Subscribe implements the service. It writes to the stream what the subscriber's queue
// has. Publish closes the queue if it is full.
func (f *feed) Subscribe(_ *pushpb.SubscribeRequest, stream grpc.ServerStreamingServer[pushpb.Price]) error {
	send := make(chan price, queue)
	if !f.join(send) {
		return errFull
	}
	defer f.leave(send)
	to := grpcstream.NewSender(stream)
	if err := to.Send(stream.Context(), &pushpb.Price{}); err != nil {
		return err
	}
	for {
		select {
		case p, ok := <-send:
			if !ok {
				return errSlow
			}
			if err := to.SendEncoded(p.Message(), p.Header()); err != nil {
				return err
			}
		case <-stream.Context().Done():
			return nil
		case <-f.closed:
			return errClosed
		}
	}
}

// Publish implements the service.
func (f *feed) Publish(ctx context.Context, p *pushpb.Price) (*pushpb.PublishResponse, error) {
	if n := len(p.GetSymbol()); n == 0 || n > maxSymbol {
		return nil, errSymbol
	}
	encoded, err := grpcstream.Encode(p)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.prices.Begin(ctx, len(f.subscribers))
	for send := range f.subscribers {
		select {
		case send <- envelope.New(encoded, b.Next()):
		default:
			b.Refuse(fanout.Full)
			delete(f.subscribers, send)
			close(send)
		}
	}
	d := b.End()
	return &pushpb.PublishResponse{Subscribers: int64(d.Size), Delivered: int64(d.Delivered)}, nil
}

// join reports false if there are too many subscribers.
func (f *feed) join(send chan price) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.subscribers) >= f.limit {
		return false
	}
	f.subscribers[send] = struct{}{}
	return true
}

func (f *feed) leave(send chan price) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.subscribers, send)
}
