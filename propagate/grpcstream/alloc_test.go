// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream_test

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/waybill-go/waybill/propagate/grpcstream"
)

// still is a stream that does nothing: it always has the same message.
type still struct {
	ctx     context.Context
	message *note
	left    int
}

func (s *still) Context() context.Context { return s.ctx }
func (*still) Send(*note) error           { return nil }
func (*still) SendMsg(any) error          { return nil }
func (s *still) Recv() (*note, error) {
	if s.left == 0 {
		return nil, io.EOF
	}
	s.left--
	return s.message, nil
}

// An untraced message allocates nothing that the stream does not.
func TestUntracedAllocatesNothing(t *testing.T) {
	s := &still{ctx: context.Background(), message: text("hello")}
	to := grpcstream.NewSender(s)
	assert.Zero(t, testing.AllocsPerRun(1000, func() { _ = to.Send(context.Background(), s.message) }))

	r := grpcstream.NewReceiver(s, "handle")
	s.left = 1
	for range r.Receive() { // The first message of a stream makes its context.
	}
	const many = 100
	assert.Less(t, testing.AllocsPerRun(10, func() {
		s.left = many
		for range r.Receive() {
		}
	}), many/10.0)
}
