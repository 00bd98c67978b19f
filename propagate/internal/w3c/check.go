// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package w3c

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Header is a line of the header. Its name is sent as it is spelled.
type Header struct{ Name, Value string }

// Sent is what a service wrote into the header of one request: all values of each field,
// in order.
type Sent struct{ Traceparent, Tracestate []string }

// Request is one request to the service.
type Request struct {
	// Headers are sent as they are, in this order.
	Headers []Header
	// Calls is how many requests the service must make while it handles this one, all in
	// the same trace. It is at least one.
	Calls int

	checks []check
}

// check returns what is wrong with the requests that the service made.
type check func(sent []message) error

// Check returns what is wrong with the requests that the service made: an error for each
// that has not exactly one well-formed traceparent or has a malformed tracestate, and the
// errors of the case.
func (r Request) Check(sent []Sent) error {
	if len(sent) != r.Calls {
		return fmt.Errorf("the service made %d requests, not %d", len(sent), r.Calls)
	}
	messages := make([]message, len(sent))
	for i, s := range sent {
		var err error
		if messages[i], err = read(s); err != nil {
			return err
		}
	}
	var failures []error
	for _, c := range r.checks {
		failures = append(failures, c(messages))
	}
	return errors.Join(failures...)
}

// message is a request that the service made.
type message struct {
	traceID, spanID string
	flags           string
	members         []string
}

var (
	parentForm = regexp.MustCompile(`\A00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\z`)
	memberForm = regexp.MustCompile(`\A[a-z0-9][a-z0-9_*/@-]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]\z`)
)

// read parses what the service sent. A sender may write only version 00.
func read(s Sent) (message, error) {
	if len(s.Traceparent) != 1 {
		return message{}, fmt.Errorf("traceparent is there %d times: %q", len(s.Traceparent), s.Traceparent)
	}
	parts := parentForm.FindStringSubmatch(s.Traceparent[0])
	if len(parts) == 0 || strings.Trim(parts[1], "0") == "" || strings.Trim(parts[2], "0") == "" {
		return message{}, fmt.Errorf("traceparent %q is malformed", s.Traceparent[0])
	}
	m := message{traceID: parts[1], spanID: parts[2], flags: parts[3]}
	for _, list := range s.Tracestate {
		for member := range strings.SplitSeq(list, ",") {
			if member = strings.Trim(member, " \t"); member == "" {
				continue
			}
			if !memberForm.MatchString(member) {
				return message{}, fmt.Errorf("tracestate has the malformed member %q", member)
			}
			m.members = append(m.members, member)
		}
	}
	if len(m.members) > 32 {
		return message{}, fmt.Errorf("tracestate has %d members", len(m.members))
	}
	return m, nil
}

// each returns a check that applies f to every request.
func each(f func(m message) error) check {
	return func(sent []message) error {
		for _, m := range sent {
			if err := f(m); err != nil {
				return err
			}
		}
		return nil
	}
}

// continued wants the trace that was sent to the service, with new spans.
func continued() check {
	return each(func(m message) error {
		switch {
		case m.traceID != traceID:
			return fmt.Errorf("the trace is %s, not the caller's", m.traceID)
		case m.spanID == spanID:
			return errors.New("the span is the caller's")
		default:
			return nil
		}
	})
}

// restarted wants a new trace, with none of these identifiers.
func restarted(not ...string) check {
	return each(func(m message) error {
		if slices.Contains(not, m.traceID) || strings.Contains(m.traceID, traceID[1:31]) {
			return fmt.Errorf("the trace is %s, from a header that is invalid", m.traceID)
		}
		return nil
	})
}

// withFlag wants a flag to be set. It is given as its bit in the last digit.
func withFlag(bit int) check {
	return each(func(m message) error {
		if strings.IndexByte("0123456789abcdef", m.flags[1])&bit == 0 {
			return fmt.Errorf("the flags are %s", m.flags)
		}
		return nil
	})
}

// with wants these members, in this order.
func with(want ...string) check {
	return each(func(m message) error {
		last := -1
		for _, member := range want {
			i := slices.Index(m.members, member)
			if i <= last {
				return fmt.Errorf("tracestate %q lacks %q, or has it too early", m.members, member)
			}
			last = i
		}
		return nil
	})
}

// withOneOf wants at least one of these members.
func withOneOf(want ...string) check {
	return each(func(m message) error {
		for _, member := range want {
			if slices.Contains(m.members, member) {
				return nil
			}
		}
		return fmt.Errorf("tracestate %q has none of %q", m.members, want)
	})
}

// without wants no member with any of these keys.
func without(keys ...string) check {
	return each(func(m message) error {
		for _, member := range m.members {
			if key, _, _ := strings.Cut(member, "="); slices.Contains(keys, key) {
				return fmt.Errorf("tracestate has %q", member)
			}
		}
		return nil
	})
}

// members wants exactly n members.
func members(n int) check {
	return each(func(m message) error {
		if len(m.members) != n {
			return fmt.Errorf("tracestate has %d members, not %d", len(m.members), n)
		}
		return nil
	})
}

// ownSpans wants no two requests to have the same span.
func ownSpans(sent []message) error {
	seen := map[string]bool{}
	for _, m := range sent {
		if seen[m.spanID] {
			return fmt.Errorf("two requests have the span %s", m.spanID)
		}
		seen[m.spanID] = true
	}
	return nil
}
