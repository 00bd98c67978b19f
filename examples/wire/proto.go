// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"google.golang.org/protobuf/proto"

	"github.com/waybill-go/waybill/envelope/wire"
)

// ProtoCodec is a [wire.Codec] for messages of Protocol Buffers. T is the generated
// struct, and the messages are pointers to it. The library does not import Protocol
// Buffers, and needs no more than this to use them.
type ProtoCodec[T any, M interface {
	*T
	proto.Message
}] struct{}

// Append implements [wire.Codec].
func (ProtoCodec[T, M]) Append(b []byte, message M) ([]byte, error) {
	return proto.MarshalOptions{}.MarshalAppend(b, message)
}

// Decode implements [wire.Codec].
func (ProtoCodec[T, M]) Decode(data []byte) (M, error) {
	message := M(new(T))
	if err := proto.Unmarshal(data, message); err != nil {
		return nil, err
	}
	return message, nil
}

// NewProtoConfig returns a configuration for the generated struct T. M follows from T,
// so callers name T only.
func NewProtoConfig[T any, M interface {
	*T
	proto.Message
}]() wire.Config[M] {
	return wire.Config[M]{Codec: ProtoCodec[T, M]{}, Counters: new(wire.Counters)}
}
