// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package traceparent reads and writes the traceparent of W3C Trace Context level 2.
// Packages propagate and envelope/wire carry it in a header and inside a message. Its
// functions do not allocate, except to make room for what they append and for the text
// of a fault.
package traceparent

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"go.opentelemetry.io/otel/trace"
)

// Positions of the parts of a traceparent, which has the form 00-<32 digits of trace
// ID>-<16 digits of span ID>-<2 digits of flags> (section 3.2.2).
const (
	traceIDStart = 3
	traceIDEnd   = 35
	spanIDStart  = 36
	spanIDEnd    = 52
	flagsStart   = 53

	// Size is the length of version 00. A later version may be longer, with a dash
	// after these bytes.
	Size = 55
)

// KnownFlags are the flags that level 2 defines. The others are reserved. A reserved
// flag that is set is no error, and we clear it.
const KnownFlags = trace.FlagsSampled | trace.FlagsRandom

// Check reports whether s is a whole traceparent, and whether it has the sampled flag.
// Version 00 has exactly 55 bytes. A later version has the same 55 bytes, and may go on
// with a dash and anything else. Version ff does not exist.
func Check(s string) (sampled, ok bool) {
	if len(s) < Size || !framed(s) {
		return false, false
	}
	s = s[:Size]
	// The words of the version and of the flags include a dash. framed has checked the
	// dash, and dash turns it into a zero here.
	const dash = '-' ^ '0'
	version, flags := word(s)^dash<<40, word(s[47:])^dash<<16
	t0, t1, t2, t3 := word(s[3:]), word(s[11:]), word(s[19:]), word(s[27:])
	p0, p1 := word(s[36:]), word(s[44:])
	if notDigits(version)|notDigits(flags)|notDigits(t0)|notDigits(t1)|notDigits(t2)|notDigits(t3)|
		notDigits(p0)|notDigits(p1) != 0 {
		return false, false
	}
	if (t0^zeros)|(t1^zeros)|(t2^zeros)|(t3^zeros) == 0 || (p0^zeros)|(p1^zeros) == 0 {
		return false, false
	}
	return octets(flags)&uint32(trace.FlagsSampled) != 0, true
}

// framed checks everything but the digits: the dashes, the version, and the length for
// that version. s must have Size bytes or more.
func framed(s string) bool {
	return s[traceIDStart-1] == '-' && s[spanIDStart-1] == '-' && s[flagsStart-1] == '-' &&
		s[:2] != "ff" && (len(s) == Size || s[:2] != "00" && s[Size] == '-')
}

// Decode reads a traceparent that [Check] has accepted. The result is remote, and has
// the tracestate and the known flags.
func Decode(s string, state trace.TraceState) trace.SpanContext {
	s = s[:Size]
	c := trace.SpanContextConfig{TraceState: state, Remote: true}
	for i := 0; i < len(c.TraceID); i += 4 {
		binary.BigEndian.PutUint32(c.TraceID[i:], octets(word(s[traceIDStart+2*i:])))
	}
	for i := 0; i < len(c.SpanID); i += 4 {
		binary.BigEndian.PutUint32(c.SpanID[i:], octets(word(s[spanIDStart+2*i:])))
	}
	// The flags are the last two digits of the last word. The conversion cuts off the
	// rest.
	c.TraceFlags = trace.TraceFlags(octets(word(s[Size-8:]))) & KnownFlags //nolint:gosec // As just said.
	return trace.NewSpanContext(c)
}

// Append appends the traceparent of the identifiers, which must be valid, with the
// known flags.
func Append(b []byte, traceID trace.TraceID, spanID trace.SpanID, flags trace.TraceFlags) []byte {
	known := [1]byte{byte(flags & KnownFlags)}
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, traceID[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, spanID[:])
	b = append(b, '-')
	return hex.AppendEncode(b, known[:])
}

// Fault names the first fault of a string that [Check] has refused. It does not quote
// the string.
func Fault(s string) string {
	switch {
	case len(s) < Size:
		return fmt.Sprintf("%d bytes are less than %d", len(s), Size)
	case s[:2] == "ff":
		return "version ff is not allowed"
	case len(s) > Size && s[:2] == "00":
		return fmt.Sprintf("version 00 has %d bytes, not %d", Size, len(s))
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
