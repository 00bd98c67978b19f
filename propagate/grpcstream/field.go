// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// FieldNumber is the number of the field in which a trace travels, in every message type.
// The letters WAY have this number in ASCII (57 41 59 in hexadecimal). It is
//
//   - outside the numbers that Protocol Buffers reserve for themselves (19,000 to 19,999),
//     and below the highest one (536,870,911);
//   - above what people count up to, outside 50,000 to 99,999, which organisations use
//     among themselves, and above the numbers of the global registry of extensions, which
//     are assigned one after the other;
//   - no date in digits, and no round number;
//   - small enough for a tag of four bytes.
//
// A message type that has a field or a known extension with this number itself cannot
// carry a trace. Its messages go out bare, which is counted.
const FieldNumber = 5_718_361

// fieldTag is the tag of the field: its number, and that it holds bytes.
var fieldTag = protowire.AppendTag(nil, FieldNumber, protowire.BytesType)

// extract finds the field in unknown, the fields of a message that its type does not have.
// rest is all that is not the field, in its order. If the field is the last one, as
// senders write it, rest is the part of unknown before it, with no room behind. Otherwise
// it is a copy. found says how often the field is there. value is the content of the last
// one, and nil if that holds no bytes. If unknown cannot be read to its end, ok is false.
func extract(unknown protoreflect.RawFields) (rest protoreflect.RawFields, value []byte, found int, ok bool) {
	kept := 0 // So many bytes of unknown are in rest, from its beginning on.
	copied := false
	for at := 0; at < len(unknown); {
		number, kind, tag := protowire.ConsumeTag(unknown[at:])
		if tag < 0 {
			return unknown, nil, found, false
		}
		size := protowire.ConsumeFieldValue(number, kind, unknown[at+tag:])
		if size < 0 {
			return unknown, nil, found, false
		}
		field := unknown[at : at+tag+size]
		at += len(field)
		switch {
		case number == FieldNumber:
			found++
			value = nil
			if kind == protowire.BytesType {
				value, _ = protowire.ConsumeBytes(field[tag:])
			}
		case found == 0:
			kept = at
		default:
			if !copied {
				rest, copied = append(make(protoreflect.RawFields, 0, len(unknown)), unknown[:kept]...), true
			}
			rest = append(rest, field...)
		}
	}
	if !copied {
		rest = unknown[:kept:kept]
	}
	return rest, value, found, true
}

// hasField reports whether a message with these unknown fields has the field.
func hasField(unknown protoreflect.RawFields) bool {
	if len(unknown) == 0 {
		return false
	}
	_, _, found, _ := extract(unknown)
	return found > 0
}
