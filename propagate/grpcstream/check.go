// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"go.opentelemetry.io/otel"
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/waybill-go/waybill/internal/guard"
)

// ErrNotCarried means that messages of a type cannot carry a trace. Test with [errors.Is].
// The error says why.
var ErrNotCarried = errors.New("grpcstream: traces cannot travel in these messages")

// Check reports whether messages of type M can carry a trace, if they are encoded and
// decoded by the codec that is registered with gRPC for "proto". If not, the error wraps
// [ErrNotCarried] and says why. Such messages are sent and received all the same, without
// their traces.
//
// It is for tests and for the start of programs, after all codecs are registered. It does
// not see a codec that a connection or a server is forced to use.
func Check[M any]() error {
	return errors.Join(typeError[M](), codecError[M]())
}

// typeError says why messages of type M cannot carry a trace, whatever the codec.
func typeError[M any]() error {
	m, ok := any(new(M)).(proto.Message)
	if !ok {
		return fmt.Errorf("%w: %T is no proto.Message", ErrNotCarried, new(M))
	}
	d := m.ProtoReflect().Descriptor()
	if d.Fields().ByNumber(FieldNumber) != nil {
		return fmt.Errorf("%w: %s has a field %d itself", ErrNotCarried, d.FullName(), FieldNumber)
	}
	if _, err := protoregistry.GlobalTypes.FindExtensionByNumber(d.FullName(), FieldNumber); err == nil {
		return fmt.Errorf("%w: %s has an extension %d itself", ErrNotCarried, d.FullName(), FieldNumber)
	}
	return nil
}

// probe is a field to try a codec with.
var probe = append(slices.Clip(fieldTag), 1, 0)

// codecError says why messages of type M cannot carry a trace with the registered codec.
// The type itself must be able to.
func codecError[M any]() (err error) {
	if typeError[M]() != nil {
		return nil
	}
	defer func() { // Somebody else's codec may do anything.
		if value := recover(); value != nil {
			err = fmt.Errorf("%w: the codec panicked: %v", ErrNotCarried, value)
		}
	}()
	codec, err := registered()
	if err != nil {
		return err
	}
	from := any(new(M)).(proto.Message) //nolint:forcetypeassert // As typeError has found.
	o := newOutgoing(cleaned(from))
	o.base().field = probe
	data, err := codec.Marshal(o)
	if err != nil {
		return fmt.Errorf("%w: the codec %T: %w", ErrNotCarried, codec, err)
	}
	defer data.Free()
	if !o.base().written.Load() {
		return fmt.Errorf("%w: the codec %T does not write fields that it does not know", ErrNotCarried, codec)
	}
	into := any(new(M)).(proto.Message) //nolint:forcetypeassert // As above.
	if err := codec.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%w: the codec %T: %w", ErrNotCarried, codec, err)
	}
	if !hasField(into.ProtoReflect().GetUnknown()) {
		return fmt.Errorf("%w: the codec %T, or %T, loses fields that it does not know", ErrNotCarried, codec, into)
	}
	return nil
}

// registered returns the codec that gRPC uses for "proto", as gRPC finds it.
func registered() (encoding.CodecV2, error) {
	if codec := encoding.GetCodecV2(grpcproto.Name); codec != nil {
		return codec, nil
	}
	if codec := encoding.GetCodec(grpcproto.Name); codec != nil {
		return codecV1{codec}, nil
	}
	return nil, fmt.Errorf("%w: no codec is registered", ErrNotCarried)
}

// codecV1 is a codec of gRPC's first kind as one of its second.
type codecV1 struct{ encoding.Codec }

func (c codecV1) Marshal(v any) (mem.BufferSlice, error) {
	data, err := c.Codec.Marshal(v)
	return mem.BufferSlice{mem.SliceBuffer(data)}, err
}

func (c codecV1) Unmarshal(data mem.BufferSlice, v any) error {
	return c.Codec.Unmarshal(data.Materialize(), v)
}

// support is what is known of a type of messages. What it finds wrong it tells
// OpenTelemetry's error handler, once.
type support struct {
	typeErr   error
	codecErr  func() error // With the registered codec, which all programs have registered by now.
	unwritten func()       // Tells that a codec has not written the field.
}

var supports sync.Map // of reflect.Type to *support

func supportOf[M any]() *support {
	t := reflect.TypeFor[M]()
	if s, ok := supports.Load(t); ok {
		return s.(*support) //nolint:forcetypeassert // There is nothing else.
	}
	s := &support{typeErr: typeError[M]()}
	s.codecErr = sync.OnceValue(func() error {
		err := codecError[M]()
		tell(err)
		return err
	})
	s.unwritten = sync.OnceFunc(func() {
		tell(fmt.Errorf("%w: the codec of a stream has not written the field of %T", ErrNotCarried, new(M)))
	})
	if other, loaded := supports.LoadOrStore(t, s); loaded {
		return other.(*support) //nolint:forcetypeassert // As above.
	}
	tell(s.typeErr)
	return s
}

func tell(err error) {
	if err != nil {
		guard.Do(func() { otel.Handle(err) })
	}
}
