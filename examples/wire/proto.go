// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"google.golang.org/protobuf/proto"

	"github.com/waybill-go/waybill/envelope"
)

// ProtoCodec is an [envelope.Codec] for messages of Protocol Buffers: T is the
// generated struct, and the messages are pointers to it. The library itself
// imports no Protocol Buffers; this is all that it takes to plug them in.
type ProtoCodec[T any, M interface {
	*T
	proto.Message
}] struct{}

// Append implements [envelope.Codec].
func (ProtoCodec[T, M]) Append(b []byte, message M) ([]byte, error) {
	return proto.MarshalOptions{}.MarshalAppend(b, message)
}

// Decode implements [envelope.Codec].
func (ProtoCodec[T, M]) Decode(data []byte) (M, error) {
	message := M(new(T))
	if err := proto.Unmarshal(data, message); err != nil {
		return nil, err
	}
	return message, nil
}

// NewProtoWire returns a wire for the generated struct T. M follows from T, so
// that callers name the one alone.
func NewProtoWire[T any, M interface {
	*T
	proto.Message
}]() envelope.Wire[M] {
	return envelope.Wire[M]{Codec: ProtoCodec[T, M]{}, Counters: new(envelope.Counters)}
}
