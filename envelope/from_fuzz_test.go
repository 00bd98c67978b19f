// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"errors"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
)

// nesting is a value, and what the bytes that built it say of it: the oracle
// never looks at an envelope.
type nesting struct {
	value   any              // for From
	message any              // what all envelopes are around
	headers []trace.SpanID   // outermost first; zero where there is none
	pointer *envelope.Header // the outermost header
}

// build reads a leaf from the first byte and a layer from each one after it.
// A layer's lowest bit says whether it has a header, the rest which type of
// envelope it is.
func build(data []byte) nesting {
	if len(data) == 0 {
		return nesting{}
	}
	if len(data) > 1 {
		within := build(data[:len(data)-1])
		b := data[len(data)-1]
		var h *envelope.Header
		var id trace.SpanID
		if b&1 == 1 {
			id = trace.SpanID{b | 1, byte(len(data))}
			h = (*envelope.Header)(inner(nil).WithSpanContext(spanContext(trace.FlagsSampled).WithSpanID(id)))
		}
		pointer := h
		if pointer == nil {
			pointer = within.pointer
		}
		return nesting{
			value:   layer(b>>1, within.value, h),
			message: within.message,
			headers: append([]trace.SpanID{id}, within.headers...),
			pointer: pointer,
		}
	}
	var leaf any
	switch data[0] % 6 {
	case 0:
		leaf = order{int(data[0])}
	case 1:
		leaf = int(data[0])
	case 2:
		leaf = string(data)
	case 3:
		leaf = &tick{}
	case 4:
		leaf = tracked{Envelope: envelope.Bare(order{9}), Attempts: int(data[0])}
	}
	return nesting{value: leaf, message: leaf}
}

// layer puts v into an envelope of its own type where the test knows that, or
// of an interface type.
func layer(kind byte, v any, h *envelope.Header) any {
	if e, ok := v.(event); ok && kind%3 == 0 {
		return envelope.New(e, h)
	}
	if kind%3 == 1 {
		return envelope.New(v, h)
	}
	switch v := v.(type) {
	case order:
		return envelope.New(v, h)
	case int:
		return envelope.New(v, h)
	case string:
		return envelope.New(v, h)
	case *tick:
		return envelope.New(v, h)
	case tracked:
		return envelope.New(v, h)
	case envelope.Envelope[order]:
		return envelope.New(v, h)
	case envelope.Envelope[int]:
		return envelope.New(v, h)
	case envelope.Envelope[any]:
		return envelope.New(v, h)
	case envelope.Envelope[event]:
		return envelope.New(v, h)
	case envelope.Envelope[envelope.Envelope[order]]:
		return envelope.New(v, h)
	default:
		return envelope.New(v, h)
	}
}

// outermost is the recursive oracle for the header.
func outermost(ids []trace.SpanID) trace.SpanID {
	if len(ids) == 0 || ids[0].IsValid() {
		return append(ids, trace.SpanID{})[0]
	}
	return outermost(ids[1:])
}

func checkFrom[M any](t *testing.T, n nesting, nilIsMessage bool) {
	t.Helper()
	e, err := envelope.From[M](n.value)
	want, ok := n.message.(M)
	if !ok && (n.message != nil || !nilIsMessage) {
		if !errors.Is(err, envelope.ErrType) {
			t.Fatalf("From[%T](%#v) = %v, %v; want ErrType", want, n.value, e, err)
		}
		if any(e) != any(envelope.Envelope[M]{}) {
			t.Fatalf("From[%T](%#v) gave %v with its error", want, n.value, e)
		}
		return
	}
	if err != nil {
		t.Fatalf("From[%T](%#v): %v", want, n.value, err)
	}
	if any(e.Message()) != any(want) {
		t.Fatalf("From[%T](%#v) = %v; want %v", want, n.value, e.Message(), want)
	}
	if id := e.Header().SpanContext().SpanID(); id != outermost(n.headers) {
		t.Fatalf("From[%T](%#v) has the header of %v; want %v", want, n.value, id, outermost(n.headers))
	}
	if e.Header() != n.pointer {
		t.Fatalf("From[%T](%#v) made a header of its own", want, n.value)
	}
}

func FuzzFrom(f *testing.F) {
	for leaf := range byte(6) {
		f.Add([]byte{leaf})
		for kind := range byte(6) {
			f.Add([]byte{leaf, kind})
			f.Add([]byte{leaf, kind, 0})
			f.Add([]byte{leaf, kind, 2, kind | 1, 4})
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n := build(data[:min(len(data), 64)])
		checkFrom[order](t, n, false)
		checkFrom[int](t, n, false)
		checkFrom[string](t, n, false)
		checkFrom[*tick](t, n, false)
		checkFrom[tracked](t, n, false)
		checkFrom[event](t, n, true)
		checkFrom[any](t, n, true)
	})
}
