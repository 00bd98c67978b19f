// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/traceparent"
	"github.com/waybill-go/waybill/internal/wireform"
)

// The JSON form is an object with two members, in any order:
//
//	{
//	  "waybill:envelope": {
//	    "version": 1,
//	    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
//	    "tracestate": "vendor=value",
//	    "baggage": "customer=acme",
//	    "sent": "2026-01-02T03:04:05.000000006Z",
//	    "hops": 1,
//	    "age_ns": 0,
//	    "fanout": "sampled"
//	  },
//	  "message": ...
//	}
//
// The first is the marker. In it only the version must be there. traceparent is that of
// W3C Trace Context, in its version 00. sent is a time as in RFC 3339. fanout is "sampled"
// or "linked".
//
// A message is wrapped if it is an object with the marker among its own members, and bare
// otherwise. What its values hold does not matter. The keys must be spelt as they are here,
// with no character escaped.
//
// A reader skips members that it does not know, beside the marker and within. But as in
// RFC 7515, "crit" within the marker is a list of names of members that a reader must know.
// If it does not, it refuses the message with [ErrVersion]. It refuses any version but 1
// too. The marker, and "version" in it, stay where they are for ever.
const (
	jsonMarker  = `"waybill:envelope"`
	jsonMessage = `"message"`
	jsonVersion = 1
)

var (
	errEnd    = errors.New("end of data")
	errSyntax = errors.New("no valid JSON")
)

// appendJSON appends all that comes before a message. The header takes no more than limit
// bytes; cut says whether something was left out for that.
func appendJSON(b []byte, c *wireform.Contents, limit int64) (_ []byte, cut bool) {
	b = append(b, '{')
	b = append(b, jsonMarker...)
	b = append(b, ':')
	start := len(b)
	for {
		b = appendJSONHeader(b[:start], c)
		if int64(len(b)-start) <= limit || !c.Cut() {
			break
		}
		cut = true
	}
	b = append(b, ',')
	b = append(b, jsonMessage...)
	return append(b, ':'), cut
}

func appendJSONHeader(b []byte, c *wireform.Contents) []byte {
	b = append(b, `{"version":1`...)
	if c.Traced() {
		b = append(b, `,"traceparent":"`...)
		b = c.AppendTraceParent(b)
		b = append(b, '"')
	}
	b = appendJSONText(b, `,"tracestate":`, c.TraceState)
	b = appendJSONText(b, `,"baggage":`, c.Baggage)
	if c.Sent > 0 {
		b = append(b, `,"sent":"`...)
		b = time.Unix(0, int64(c.Sent)).UTC().AppendFormat(b, time.RFC3339Nano) //nolint:gosec // As Contents.Set bounds it.
		b = append(b, '"')
	}
	if c.Chained() {
		b = append(b, `,"hops":`...)
		b = strconv.AppendUint(b, uint64(c.Hops), 10)
		b = append(b, `,"age_ns":`...)
		b = strconv.AppendUint(b, c.Age, 10)
	}
	switch c.Fanout {
	case wireform.FanoutSampled:
		b = append(b, `,"fanout":"sampled"`...)
	case wireform.FanoutLinked:
		b = append(b, `,"fanout":"linked"`...)
	}
	return append(b, '}')
}

// appendJSONText appends a member whose value is text in ASCII, or nothing if the text is
// empty.
func appendJSONText(b []byte, key, text string) []byte {
	if text == "" {
		return b
	}
	b = append(b, key...)
	b = append(b, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"', c == '\\':
			b = append(b, '\\', c)
		case c < ' ', c > '~':
			b = hex.AppendEncode(append(b, `\u00`...), []byte{c})
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// openJSON finds the parts of a message in the JSON form. It allocates only for an error.
// It does not look into the message, and reads only the version of the header.
func openJSON(data []byte, l wireform.Limits) (header, message []byte, wrapped bool, err error) {
	if !bytes.Contains(data, []byte(jsonMarker)) {
		return nil, nil, false, nil
	}
	again, strange := false, false
	o := object{rest: data}
	for o.next() {
		switch string(o.key) {
		case jsonMarker:
			again = again || wrapped
			header, wrapped = o.value, true
		case jsonMessage:
			again = again || message != nil
			message = o.value
		default:
			strange = strange || !json.Valid(o.value)
		}
	}
	cause := o.err
	switch {
	case !wrapped && string(o.key) == jsonMarker: // It is there, and its value is not.
		return nil, nil, true, broken(cause)
	case !wrapped:
		return nil, nil, false, nil
	case int64(len(header)) > l.Header:
		return nil, nil, true, fmt.Errorf("%w: header of %d bytes", ErrOversized, len(header))
	}
	if err := versionOf(header); err != nil {
		return nil, nil, true, err
	}
	switch {
	case cause != nil:
		return nil, nil, true, broken(cause)
	case len(bytes.TrimLeft(o.rest, jsonSpace)) > 0, strange, again, message == nil:
		return nil, nil, true, fmt.Errorf("%w: no envelope in JSON", ErrMalformed)
	}
	return header, message, true, l.Check(int64(len(header)), int64(len(message)))
}

// broken returns the error for a message that cannot be opened.
func broken(cause error) error {
	if errors.Is(cause, errEnd) {
		return fmt.Errorf("%w: %w", wireform.ErrTruncated, cause)
	}
	return fmt.Errorf("%w: %w", ErrMalformed, cause)
}

// versionOf checks that the header is an object that this reader can read.
func versionOf(header []byte) error {
	if !json.Valid(header) {
		return fmt.Errorf("%w: %w", ErrMalformed, errSyntax)
	}
	version := 0
	found := false
	var critical []string
	o := object{rest: header}
	for o.next() {
		var err error
		switch string(o.key) {
		case `"version"`:
			again := found
			version, err = strconv.Atoi(string(o.value))
			if found = true; again || err != nil {
				return fmt.Errorf("%w: version %.20s", ErrMalformed, o.value)
			}
		case `"crit"`:
			var names []string
			if err = json.Unmarshal(o.value, &names); err != nil {
				return fmt.Errorf("%w: crit: %w", ErrMalformed, err)
			}
			critical = append(critical, names...)
		}
	}
	switch {
	case o.err != nil || !found: // It is valid, but no object.
		return fmt.Errorf("%w: no version", ErrMalformed)
	case version != jsonVersion:
		return fmt.Errorf("%w: %d", ErrVersion, version)
	}
	for _, name := range critical {
		if !knownMember(name) {
			return fmt.Errorf("%w: critical member %.100q", ErrVersion, name)
		}
	}
	return nil
}

func knownMember(name string) bool {
	switch name {
	case "version", "crit", "traceparent", "tracestate", "baggage", "sent", "hops", "age_ns", "fanout":
		return true
	}
	return false
}

// readJSON sets c, which is empty, to a header that versionOf accepted. A bad value in a member is no error.
func readJSON(header []byte, c *wireform.Contents) {
	var hops, age uint64
	chained := false
	o := object{rest: header}
	for o.next() {
		switch string(o.key) {
		case `"traceparent"`:
			text, ok := o.text()
			if c.Again(wireform.KindTrace) || !ok || !setTraceParent(c, text) {
				c.BadTrace = true
			}
		case `"tracestate"`:
			text, ok := o.text()
			c.BadState = c.Again(wireform.KindTraceState) || !ok
			c.TraceState = text
		case `"baggage"`:
			text, ok := o.text()
			c.BadBaggage = c.Again(wireform.KindBaggage) || !ok
			c.Baggage = text
		case `"sent"`:
			text, ok := o.text()
			c.BadChain = c.Again(wireform.KindSent) || !ok || c.BadChain
			setSentText(c, text)
		case `"hops"`:
			hops, c.BadChain = o.number(), c.Again(wireform.KindChain) || c.BadChain
			chained = true
		case `"age_ns"`:
			age, c.BadChain = o.number(), c.Again(wireform.KindAge) || c.BadChain
		case `"fanout"`:
			text, _ := o.text()
			c.BadChain = c.Again(wireform.KindChoice) || c.BadChain
			c.SetFanout(map[string]wireform.Fanout{"sampled": wireform.FanoutSampled, "linked": wireform.FanoutLinked}[text])
		}
	}
	if chained || age > 0 {
		c.SetChain(hops, age)
	}
}

// setTraceParent sets the identifiers of a traceparent of version 00, and reports whether
// it is one.
func setTraceParent(c *wireform.Contents, text string) bool {
	if _, ok := traceparent.Check(text); !ok || text[:2] != "00" {
		return false
	}
	sc := traceparent.Decode(text, trace.TraceState{})
	c.SetTrace(sc.TraceID(), sc.SpanID(), sc.TraceFlags())
	return true
}

func setSentText(c *wireform.Contents, text string) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !isRFC3339(text) || !wireform.Representable(t) {
		c.BadChain = true
		return
	}
	c.SetSent(uint64(t.UnixNano()))
}

// isRFC3339 reports whether a text that [time.Parse] accepts follows RFC 3339. time.Parse
// accepts more: hours of one digit, a comma before the fraction of a second, and zones a
// day or more away.
func isRFC3339(text string) bool {
	if !strings.HasSuffix(text, "Z") {
		zone := text[len(text)-len("07:00"):]
		if zone[:2] > "23" || zone[3:] > "59" {
			return false
		}
	}
	return text[len("2006-01-02T15")] == ':' && !strings.Contains(text, ",")
}
