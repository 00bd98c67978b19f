// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/traceparent"
)

// ErrMalformed means that a string is no traceparent. Test with [errors.Is].
var ErrMalformed = errors.New("propagate: malformed traceparent")

// Peek validates the whole of a traceparent, and reports whether it has the sampled
// flag. ok is false if [ParseTraceparent] would refuse it; sampled is false then too.
// Peek allocates nothing.
func Peek(s string) (sampled, ok bool) { return traceparent.Check(s) }

// PeekHeader is [Peek] for the traceparent of an [http.Header], of the metadata of gRPC
// or of the header of a NATS message, each of which is such a map. It looks for
// Traceparent and for traceparent. So it needs neither time nor allocation to spell the
// key, as http.Header.Get does. ok is false too if the key is absent or, as the standard
// says, if it has more than one value. Another value in the other spelling is one more.
//
// [http.Header]: https://pkg.go.dev/net/http#Header
func PeekHeader(header map[string][]string) (sampled, ok bool) {
	values, agreed := traceparentField.either(header)
	if len(values) != 1 || !agreed {
		return false, false
	}
	return Peek(values[0])
}

// ParseTraceparent reads a traceparent by W3C Trace Context level 2. Version 00 has
// exactly 55 bytes. A later version has the same 55 bytes, which a dash and anything else
// may follow. Version ff does not exist. Digits are in lower case, and neither ID is zero.
// Of the flags it keeps sampled and random. White space around the value is malformed: the
// transport has to remove it.
//
// The result is remote and has no tracestate. The error wraps [ErrMalformed] and says what
// is wrong. It never quotes the input, which a stranger may have written.
func ParseTraceparent(s string) (trace.SpanContext, error) {
	if _, ok := traceparent.Check(s); !ok {
		return trace.SpanContext{}, fmt.Errorf("%w: %s", ErrMalformed, traceparent.Fault(s))
	}
	return traceparent.Decode(s, trace.TraceState{}), nil
}

// encode returns the traceparent of a valid span context.
func encode(sc trace.SpanContext) string {
	var b [traceparent.Size]byte
	return string(appendTraceparent(b[:0], sc))
}

func appendTraceparent(b []byte, sc trace.SpanContext) []byte {
	return traceparent.Append(b, sc.TraceID(), sc.SpanID(), sc.TraceFlags())
}
