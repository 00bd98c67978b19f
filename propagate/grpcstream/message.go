// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/runtime/protoiface"
)

// outgoing is a message with its trace, as it is given to SendMsg. It is a message of
// Protocol Buffers itself, of the same type: it encodes as the user's message with the
// field behind it, and is like the user's message in all else. So every codec that
// encodes with package proto writes the field, and the user's message is only read.
type outgoing struct {
	protoreflect.Message // The user's.

	encoded []byte // The user's message, if it is encoded already; it may be shared.
	field   []byte
	written atomic.Bool // Somebody has asked for the field.
	room    [88]byte    // For a field without tracestate and baggage.
}

var _ proto.Message = (*outgoing)(nil)

// ProtoReflect implements proto.Message.
func (o *outgoing) ProtoReflect() protoreflect.Message { return o }

// write takes note that the field is written. One outgoing may be on many streams at the same
// time, so it writes only once.
func (o *outgoing) write() {
	if !o.written.Load() {
		o.written.Store(true)
	}
}

// String returns the message as text, for those who log it.
func (o *outgoing) String() string { return fmt.Sprint(o.Interface()) }

// MarshalJSON returns the message as encoding/json writes it, for codecs that use that.
func (o *outgoing) MarshalJSON() ([]byte, error) { return json.Marshal(o.Interface()) }

// GetUnknown implements protoreflect.Message, for those who do not use ProtoMethods and for
// those who copy the message.
func (o *outgoing) GetUnknown() protoreflect.RawFields {
	o.write()
	unknown := o.Message.GetUnknown()
	return append(slices.Clip(unknown), o.field...)
}

// ProtoMethods implements protoreflect.Message.
func (o *outgoing) ProtoMethods() *protoiface.Methods { return outgoingMethods }

// outgoingMethods are for all messages, because each call is given the message. They call
// those of the user's message, where there are any. A message without is of a type that
// package proto encodes by reflection.
var outgoingMethods = &protoiface.Methods{
	Flags: protoiface.SupportMarshalDeterministic,
	Size: func(in protoiface.SizeInput) (out protoiface.SizeOutput) {
		o := in.Message.(*outgoing) //nolint:forcetypeassert // Nothing else has these methods.
		if o.encoded != nil {
			out.Size = len(o.encoded)
		} else if m := o.Message.ProtoMethods(); m != nil && m.Size != nil {
			in.Message = o.Message
			out = m.Size(in)
		} else {
			out.Size = optionsOf(in.Flags).Size(o.Interface())
		}
		out.Size += len(o.field)
		return out
	},
	Marshal: func(in protoiface.MarshalInput) (out protoiface.MarshalOutput, err error) {
		o := in.Message.(*outgoing) //nolint:forcetypeassert // As above.
		if o.encoded != nil {
			out.Buf = append(in.Buf, o.encoded...)
		} else if m := o.Message.ProtoMethods(); m != nil && m.Marshal != nil && m.Flags&protoiface.SupportMarshalDeterministic != 0 {
			in.Message = o.Message
			out, err = m.Marshal(in)
		} else {
			out.Buf, err = optionsOf(in.Flags).MarshalAppend(in.Buf, o.Interface())
		}
		if err == nil {
			out.Buf = append(out.Buf, o.field...)
			o.write()
		}
		return out, err
	},
	CheckInitialized: func(in protoiface.CheckInitializedInput) (out protoiface.CheckInitializedOutput, err error) {
		o := in.Message.(*outgoing) //nolint:forcetypeassert // As above.
		if m := o.Message.ProtoMethods(); m != nil && m.CheckInitialized != nil {
			in.Message = o.Message
			return m.CheckInitialized(in)
		}
		return out, proto.CheckInitialized(o.Interface())
	},
}

func optionsOf(flags protoiface.MarshalInputFlags) proto.MarshalOptions {
	return proto.MarshalOptions{
		AllowPartial:  true, // As the contract of the methods says.
		Deterministic: flags&protoiface.MarshalDeterministic != 0,
		UseCachedSize: flags&protoiface.MarshalUseCachedSize != 0,
	}
}

// vtMessage is a message that vtprotobuf has generated methods for. Codecs that call
// these may refuse all other messages.
type vtMessage interface{ MarshalVT() ([]byte, error) }

// outgoingVT is an outgoing whose message is a vtMessage.
type outgoingVT struct {
	outgoing

	vt vtMessage
}

// MarshalVT implements vtMessage.
func (o *outgoingVT) MarshalVT() ([]byte, error) {
	data := o.encoded
	if data == nil {
		var err error
		if data, err = o.vt.MarshalVT(); err != nil {
			return nil, err
		}
	}
	o.write()
	return append(slices.Clip(data), o.field...), nil
}

// withoutField returns m without the field, as a copy that shares the values of its fields
// with m. If m does not have the field, it returns m.
func withoutField(m protoreflect.Message) protoreflect.Message {
	unknown := m.GetUnknown()
	if !hasField(unknown) {
		return m
	}
	to := m.New()
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		to.Set(field, value)
		return true
	})
	rest, _, _, _ := extract(unknown)
	to.SetUnknown(rest)
	return to
}

// wrapped is an outgoing or an outgoingVT.
type wrapped interface {
	proto.Message
	base() *outgoing
}

func (o *outgoing) base() *outgoing { return o }

// newOutgoing returns an outgoing for m that has no field yet. vt is nil, or m as a
// vtMessage.
func newOutgoing(m protoreflect.Message, vt vtMessage) wrapped {
	if vt == nil {
		return &outgoing{Message: m}
	}
	o := &outgoingVT{vt: vt}
	o.Message = m
	return o
}

// cleaned returns message without the field, and as a vtMessage if it is one.
func cleaned(message proto.Message) (protoreflect.Message, vtMessage) {
	m := message.ProtoReflect()
	clean := withoutField(m)
	if clean != m {
		message = clean.Interface()
	}
	vt, _ := message.(vtMessage)
	return clean, vt
}
