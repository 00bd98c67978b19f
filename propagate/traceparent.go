// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/trace"
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

// Where the parts of a traceparent lie, by W3C Trace Context level 2, section
// 3.2.2: 00-<32 digits of trace ID>-<16 digits of span ID>-<2 digits of flags>.
const (
	traceIDStart = 3
	traceIDEnd   = 35
	spanIDStart  = 36
	spanIDEnd    = 52
	flagsStart   = 53
	size         = 55 // Of version 00; a later one may go on with a dash.
)

// knownFlags are the flags that level 2 defines. The others are reserved: a
// set one is no error, and is cleared on the way through.
const knownFlags = trace.FlagsSampled | trace.FlagsRandom

// Peek validates the whole of a traceparent and returns what it says, without
// allocating. It takes what [ParseTraceparent] takes.
func Peek(traceparent string) Decision {
	if len(traceparent) < size || !framed(traceparent) {
		return Invalid
	}
	s := traceparent[:size]
	// The version and the flags fill a word with their neighbours and a dash,
	// which framed has seen and which counts as a zero here.
	const dash = '-' ^ '0'
	version, flags := word(s)^dash<<40, word(s[47:])^dash<<16
	t0, t1, t2, t3 := word(s[3:]), word(s[11:]), word(s[19:]), word(s[27:])
	p0, p1 := word(s[36:]), word(s[44:])
	if notDigits(version)|notDigits(flags)|notDigits(t0)|notDigits(t1)|notDigits(t2)|notDigits(t3)|
		notDigits(p0)|notDigits(p1) != 0 {
		return Invalid
	}
	if (t0^zeros)|(t1^zeros)|(t2^zeros)|(t3^zeros) == 0 || (p0^zeros)|(p1^zeros) == 0 {
		return Invalid
	}
	if octets(flags)&uint32(trace.FlagsSampled) == 0 {
		return Unsampled
	}
	return Sampled
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

// framed checks what can be told without looking at digits: the dashes, the
// version, and the length that goes with it. The argument has size bytes or
// more.
func framed(s string) bool {
	return s[traceIDStart-1] == '-' && s[spanIDStart-1] == '-' && s[flagsStart-1] == '-' &&
		s[:2] != "ff" && (len(s) == size || s[:2] != "00" && s[size] == '-')
}

// ParseTraceparent reads a traceparent by W3C Trace Context level 2: version
// 00 has 55 bytes exactly; a later one has the same 55 bytes, which a dash and
// anything else may follow; version ff does not exist. Digits are in lower
// case, and neither ID is zero. Of the flags it keeps sampled and random.
// Space around the value is for the transport to take away. The result is
// remote and has no tracestate. The only error is [ErrMalformed], wrapped with
// what is wrong; it never quotes the input, which a stranger may have written.
func ParseTraceparent(s string) (trace.SpanContext, error) {
	if Peek(s) == Invalid {
		return trace.SpanContext{}, fmt.Errorf("%w: %s", ErrMalformed, fault(s))
	}
	return decode(s, trace.TraceState{}), nil
}

// decode reads a traceparent that [Peek] has found valid.
func decode(s string, state trace.TraceState) trace.SpanContext {
	s = s[:size]
	c := trace.SpanContextConfig{TraceState: state, Remote: true}
	for i := 0; i < len(c.TraceID); i += 4 {
		binary.BigEndian.PutUint32(c.TraceID[i:], octets(word(s[traceIDStart+2*i:])))
	}
	for i := 0; i < len(c.SpanID); i += 4 {
		binary.BigEndian.PutUint32(c.SpanID[i:], octets(word(s[spanIDStart+2*i:])))
	}
	// The flags are the last two digits of the last word, the rest of it is cut
	// off.
	c.TraceFlags = trace.TraceFlags(octets(word(s[size-8:]))) & knownFlags //nolint:gosec // As just said.
	return trace.NewSpanContext(c)
}

// encode returns the traceparent of a valid span context.
func encode(sc trace.SpanContext) string {
	var b [size]byte
	return string(appendTraceparent(b[:0], sc))
}

// appendTraceparent appends the traceparent of a valid span context.
func appendTraceparent(b []byte, sc trace.SpanContext) []byte {
	traceID, spanID := sc.TraceID(), sc.SpanID()
	flags := [1]byte{byte(sc.TraceFlags() & knownFlags)}
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, traceID[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, spanID[:])
	b = append(b, '-')
	return hex.AppendEncode(b, flags[:])
}

// fault names the first thing wrong with what [Peek] has found invalid.
func fault(s string) string {
	switch {
	case len(s) < size:
		return fmt.Sprintf("%d bytes are less than %d", len(s), size)
	case s[:2] == "ff":
		return "version ff is not allowed"
	case len(s) > size && s[:2] == "00":
		return fmt.Sprintf("version 00 has %d bytes, not %d", size, len(s))
	case !framed(s):
		return "a dash is not in its place"
	case s[traceIDStart:traceIDEnd] == "00000000000000000000000000000000":
		return "the trace ID is zero"
	case s[spanIDStart:spanIDEnd] == "0000000000000000":
		return "the span ID is zero"
	default:
		return "not all digits are lower-case hexadecimal"
	}
}
