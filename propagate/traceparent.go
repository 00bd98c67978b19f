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

// Decision is what a traceparent says about its trace. The zero value is
// [Invalid].
type Decision uint8

const (
	// Invalid says nothing: the traceparent is absent or malformed.
	Invalid Decision = iota
	// Unsampled is a whole traceparent without the sampled flag.
	Unsampled
	// Sampled is a whole traceparent with the sampled flag.
	Sampled
)

// String returns the name in lower case.
func (d Decision) String() string {
	switch d {
	case Invalid:
		return "invalid"
	case Unsampled:
		return "unsampled"
	case Sampled:
		return "sampled"
	default:
		return fmt.Sprintf("Decision(%d)", uint8(d))
	}
}

// Peek validates the whole of a traceparent and returns what it says, without
// allocating. It takes what [ParseTraceparent] takes.
func Peek(s string) Decision {
	sampled, ok := traceparent.Check(s)
	switch {
	case !ok:
		return Invalid
	case sampled:
		return Sampled
	default:
		return Unsampled
	}
}

// PeekHeader is [Peek] for the traceparent of an [http.Header], of gRPC's
// metadata or of a header of NATS, each of which is such a map. It looks for
// Traceparent, and if that is absent for traceparent, and so needs no time and
// no allocation to spell the key, as http.Header.Get does. A header that holds
// the key more than once is [Invalid], as the standard says.
//
// [http.Header]: https://pkg.go.dev/net/http#Header
func PeekHeader(header map[string][]string) Decision {
	values := traceparentField.either(header)
	if len(values) != 1 {
		return Invalid
	}
	return Peek(values[0])
}

// ParseTraceparent reads a traceparent by W3C Trace Context level 2: version
// 00 has 55 bytes exactly; a later one has the same 55 bytes, which a dash and
// anything else may follow; version ff does not exist. Digits are in lower
// case, and neither ID is zero. Of the flags it keeps sampled and random.
// Space around the value is for the transport to take away. The result is
// remote and has no tracestate. The only error is [ErrMalformed], wrapped with
// what is wrong; it never quotes the input, which a stranger may have written.
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
