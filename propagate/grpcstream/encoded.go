// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Encoded is a message that was encoded once, to be sent on any number of streams, by any
// number of goroutines at the same time. It never changes. Make it with [Encode].
type Encoded[M any] struct {
	original *M                   // As it was given to Encode.
	message  protoreflect.Message // Without the field; nil if traces cannot travel in it.
	vt       vtMessage
	data     []byte
	bare     wrapped // For all streams that get no trace.
}

// Encode encodes message once, for [Sender.SendEncoded]. message must not be changed as long
// as the result is in use. The error is that of package proto: a required field is not
// set, or a string is not valid UTF-8. A message that cannot carry a trace is encoded by
// each stream.
//
// What is encoded is shared, and each send copies it into the buffer of its stream. If the
// streams are compressed, each compresses its own copy.
func Encode[M any](message *M) (*Encoded[M], error) {
	e := &Encoded[M]{original: message}
	m, ok := any(message).(proto.Message)
	if !ok {
		return e, nil
	}
	e.message, e.vt = cleaned(m)
	data, err := proto.MarshalOptions{}.MarshalAppend([]byte{}, e.message.Interface())
	if err != nil {
		return nil, err
	}
	e.data = data
	e.bare = e.wrapped()
	return e, nil
}

// wrapped returns the message as it is sent, without a field yet.
func (e *Encoded[M]) wrapped() wrapped {
	o := newOutgoing(e.message, e.vt)
	o.base().encoded = e.data
	return o
}
