// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// Codec turns messages of type M into bytes and back, for a [Config]. It writes a message
// as it would go out without this library: a bare message is exactly that. Any number of
// goroutines may use one Codec at the same time.
type Codec[M any] interface {
	// Append appends the message to b, as the built-in append does, and returns the
	// result. It must not change what is in b. After an error the result is not used.
	Append(b []byte, message M) ([]byte, error)
	// Decode reads a message that takes up all of data. It must neither change data nor
	// keep any part of it in the message: data belongs to the caller, who may use it
	// again.
	Decode(data []byte) (M, error)
}

// JSONCodec returns a codec that writes messages as [encoding/json] does. It is the
// default of a [Config].
func JSONCodec[M any]() Codec[M] { return jsonCodec[M]{} }

type jsonCodec[M any] struct{}

// Append implements Codec. It writes what [json.Marshal] returns.
func (jsonCodec[M]) Append(b []byte, message M) ([]byte, error) {
	data, err := json.Marshal(message)
	if cap(b) == 0 {
		return data, err // It is as good as a copy.
	}
	return append(b, data...), err
}

// Decode implements Codec with [json.Unmarshal].
func (jsonCodec[M]) Decode(data []byte) (message M, err error) {
	err = json.Unmarshal(data, &message)
	return message, err
}

// GobCodec returns a codec that writes each message as a stream of [encoding/gob] of its
// own, with the description of its type, so that each can be read alone. For small
// messages that takes many times their size and time. It cannot write a nil pointer, which
// gob does not have.
//
// It is for trusted peers: encoding/gob believes some sizes that a message claims, such as
// that of a map, and allocates memory for them, whatever the limits of the [Config] are.
func GobCodec[M any]() Codec[M] { return gobCodec[M]{} }

type gobCodec[M any] struct{}

// Append implements Codec.
func (gobCodec[M]) Append(b []byte, message M) ([]byte, error) {
	if v := reflect.ValueOf(&message).Elem(); v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, errors.New("gob: nil pointer")
	}
	w := bytes.NewBuffer(b)
	err := gob.NewEncoder(w).Encode(&message) // By pointer, for an M that is an interface.
	return w.Bytes(), err
}

// Decode implements Codec.
func (gobCodec[M]) Decode(data []byte) (message M, err error) {
	r := bytes.NewReader(data)
	if err = gob.NewDecoder(r).Decode(&message); err == nil && r.Len() > 0 {
		err = fmt.Errorf("gob: %d bytes after the message", r.Len())
	}
	return message, err
}

// BytesCodec returns a codec for messages that are bytes already. It copies them in both
// directions.
func BytesCodec[M ~[]byte | ~string]() Codec[M] { return bytesCodec[M]{} }

type bytesCodec[M ~[]byte | ~string] struct{}

// Append implements Codec.
func (bytesCodec[M]) Append(b []byte, message M) ([]byte, error) { return append(b, message...), nil }

// Decode implements Codec.
func (bytesCodec[M]) Decode(data []byte) (M, error) { return M(bytes.Clone(data)), nil }
