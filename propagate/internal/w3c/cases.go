// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package w3c

import (
	"fmt"
	"slices"
	"strings"
)

// Case is one case of the suite.
type Case struct {
	// Name is its name in the suite.
	Name string
	// Requests are sent one after the other.
	Requests []Request
}

// What the callers in these cases send.
const (
	traceID   = "8f2b61c05d9e4a7793ab40cd17e6f052"
	otherID   = "8f2b61c05d9e4a7793ab40cd17e6f053"
	spanID    = "5ac3e19b72d04f86"
	zeroTrace = "00000000000000000000000000000000"
	zeroSpan  = "0000000000000000"
	sampled   = "00-" + traceID + "-" + spanID + "-01"
	unsampled = "00-" + traceID + "-" + spanID + "-00"
)

// Cases returns all 41 cases.
func Cases() []Case { return slices.Concat(parentCases(), stateCases(), keyCases(), callCases()) }

func parent(value string) Header { return Header{"traceparent", value} }
func state(value string) Header  { return Header{"tracestate", value} }

// request returns a request for which the service makes one call, with these checks.
func request(headers []Header, checks ...check) Request {
	return Request{Headers: headers, Calls: 1, checks: checks}
}

// goesOn returns a case in which the service must continue the caller's trace, for each
// traceparent.
func goesOn(name string, parents ...string) Case {
	c := Case{Name: name}
	for _, value := range parents {
		c.Requests = append(c.Requests, request([]Header{parent(value)}, continued()))
	}
	return c
}

// startsAnew returns a case in which the service must start a trace of its own, for each
// traceparent.
func startsAnew(name string, parents ...string) Case {
	c := Case{Name: name}
	for _, value := range parents {
		c.Requests = append(c.Requests, request([]Header{parent(value)}, restarted(zeroTrace)))
	}
	return c
}

// states returns a request for each list of tracestate lines, with an unsampled traceparent.
// The service must continue the trace, whatever becomes of the tracestate.
func states(lines []string, checks ...check) Request {
	headers := []Header{parent(unsampled)}
	for _, line := range lines {
		headers = append(headers, state(line))
	}
	return request(headers, append(checks, continued())...)
}

func parentCases() []Case {
	const ids = traceID + "-" + spanID
	return []Case{
		{"test_both_traceparent_and_tracestate_missing", []Request{request(nil)}},
		goesOn("test_traceparent_included_tracestate_missing", sampled),
		{"test_traceparent_duplicated", []Request{request(
			[]Header{parent("00-" + otherID + "-" + spanID + "-01"), parent(sampled)}, restarted(),
		)}},
		{"test_traceparent_header_name", []Request{
			request([]Header{{"trace-parent", sampled}}, restarted()),
			request([]Header{{"trace.parent", sampled}}, restarted()),
		}},
		{"test_traceparent_header_name_valid_casing", []Request{
			request([]Header{{"TraceParent", sampled}}, continued()),
			request([]Header{{"TrAcEpArEnT", sampled}}, continued()),
			request([]Header{{"TRACEPARENT", sampled}}, continued()),
		}},
		// Version 00 has 55 bytes and no more.
		startsAnew("test_traceparent_version_0x00", sampled+".", sampled+"-yet-another-field"),
		// A later version may have more, behind a dash.
		{"test_traceparent_version_0xcc", slices.Concat(
			goesOn("", "cc-"+ids+"-01", "cc-"+ids+"-01-yet-another-field").Requests,
			startsAnew("", "cc-"+ids+"-01.yet-another-field").Requests,
		)},
		startsAnew("test_traceparent_version_0xff", "ff-"+ids+"-01"),
		startsAnew("test_traceparent_version_illegal_characters", ".0-"+ids+"-01", "0.-"+ids+"-01"),
		startsAnew("test_traceparent_version_too_long", "000-"+ids+"-01", "0000-"+ids+"-01"),
		startsAnew("test_traceparent_version_too_short", "0-"+ids+"-01"),
		startsAnew("test_traceparent_trace_id_all_zero", "00-"+zeroTrace+"-"+spanID+"-01"),
		startsAnew("test_traceparent_trace_id_illegal_characters",
			"00-."+traceID[1:]+"-"+spanID+"-01", "00-"+traceID[:31]+".-"+spanID+"-01"),
		startsAnew("test_traceparent_trace_id_too_long", "00-"+traceID+"3-"+spanID+"-01"),
		startsAnew("test_traceparent_trace_id_too_short", "00-"+traceID[:31]+"-"+spanID+"-01"),
		startsAnew("test_traceparent_parent_id_all_zero", "00-"+traceID+"-"+zeroSpan+"-01"),
		startsAnew("test_traceparent_parent_id_illegal_characters",
			"00-"+traceID+"-."+spanID[1:]+"-01", "00-"+traceID+"-"+spanID[:15]+".-01"),
		startsAnew("test_traceparent_parent_id_too_long", "00-"+ids+"7-01"),
		startsAnew("test_traceparent_parent_id_too_short", "00-"+traceID+"-"+spanID[:15]+"-01"),
		startsAnew("test_traceparent_trace_flags_illegal_characters", "00-"+ids+"-.0", "00-"+ids+"-0."),
		startsAnew("test_traceparent_trace_flags_too_long", "00-"+ids+"-001"),
		startsAnew("test_traceparent_trace_flags_too_short", "00-"+ids+"-1"),
		// White space around the value of a header does not belong to it.
		goesOn("test_traceparent_ows_handling",
			" "+sampled, "\t"+sampled, sampled+" ", sampled+"\t", "\t "+sampled+" \t"),
	}
}

func stateCases() []Case {
	return []Case{
		{"test_tracestate_included_traceparent_missing", []Request{
			request([]Header{state("foo=1")}, without("foo")),
			request([]Header{state("foo=1,bar=2")}, without("foo", "bar")),
		}},
		{"test_tracestate_included_traceparent_included", []Request{
			states([]string{"foo=1,bar=2"}, with("foo=1", "bar=2")),
		}},
		{"test_tracestate_header_name", []Request{
			request([]Header{parent(unsampled), {"trace-state", "foo=1"}}, without("foo"), continued()),
			request([]Header{parent(unsampled), {"trace.state", "foo=1"}}, without("foo"), continued()),
		}},
		{"test_tracestate_header_name_valid_casing", []Request{
			request([]Header{parent(unsampled), {"TraceState", "foo=1"}}, with("foo=1"), continued()),
			request([]Header{parent(unsampled), {"TrAcEsTaTe", "foo=1"}}, with("foo=1"), continued()),
			request([]Header{parent(unsampled), {"TRACESTATE", "foo=1"}}, with("foo=1"), continued()),
		}},
		{"test_tracestate_empty_header", []Request{
			states([]string{""}, members(0)),
			states([]string{"foo=1", ""}, with("foo=1")),
			states([]string{"", "foo=1"}, with("foo=1")),
		}},
		{"test_tracestate_multiple_headers_different_keys", []Request{
			states([]string{"foo=1,bar=2", "rojo=1,congo=2", "baz=3"},
				with("foo=1", "bar=2", "rojo=1", "congo=2", "baz=3")),
		}},
		// A service that receives a key twice may drop one of the two or pass both on,
		// but has no reason to drop the rest.
		{"test_tracestate_duplicated_keys", []Request{
			states([]string{"foo=1,foo=1"}, with("foo=1")),
			states([]string{"foo=1,foo=2"}, withOneOf("foo=1", "foo=2")),
			states([]string{"foo=1", "foo=1"}, with("foo=1")),
			states([]string{"foo=1", "foo=2"}, withOneOf("foo=1", "foo=2")),
		}},
		{"test_tracestate_ows_handling", []Request{
			states([]string{"foo=1 \t , \t bar=2, \t baz=3"}, with("foo=1", "bar=2", "baz=3")),
			states([]string{"foo=1\t \t,\t \tbar=2,\t \tbaz=3"}, with("foo=1", "bar=2", "baz=3")),
			states([]string{" foo=1"}, with("foo=1")),
			states([]string{"\tfoo=1"}, with("foo=1")),
			states([]string{"foo=1 "}, with("foo=1")),
			states([]string{"foo=1\t"}, with("foo=1")),
			states([]string{"\t foo=1 \t"}, with("foo=1")),
		}},
	}
}

func keyCases() []Case {
	// All characters that a key and a value may have.
	const letters, key = "abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwxyz0123456789_-*/"
	const value = " !\"#$%&'()*+-./0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`" + letters + "{|}~"
	z, t, v := strings.Repeat("z", 257), strings.Repeat("t", 242), strings.Repeat("v", 15)
	return []Case{
		{"test_tracestate_all_allowed_characters", []Request{
			states([]string{key + "=" + value}, with(key+"="+value)),
			states([]string{key + "@a-z0-9_-*/=" + value}, with(key+"@a-z0-9_-*/="+value)),
		}},
		{"test_tracestate_key_illegal_characters", []Request{
			states([]string{"foo =1"}, without("foo ", "foo")),
			states([]string{"FOO=1"}, without("FOO", "foo")),
			states([]string{"foo.bar=1"}, without("foo.bar")),
		}},
		// In level 2 the at sign is one of the characters of a key, but not the
		// first.
		{"test_tracestate_key_illegal_vendor_format", []Request{
			states([]string{"foo@=1,bar=2"}, with("foo@=1", "bar=2")),
			states([]string{"@foo=1,bar=2"}, without("@foo", "bar")),
			states([]string{"foo@@bar=1,bar=2"}, with("foo@@bar=1", "bar=2")),
			states([]string{"foo@bar@baz=1,bar=2"}, with("foo@bar@baz=1", "bar=2")),
		}},
		{"test_tracestate_member_count_limit", []Request{
			states(numbered(32), with("bar01=01", "bar32=32"), members(32)),
			states(numbered(33), without("bar01", "bar32", "bar33")),
		}},
		// A key has 256 characters at most, wherever an at sign may be.
		{"test_tracestate_key_length_limit", []Request{
			states([]string{"foo=1", z[:256] + "=1"}, with("foo=1", z[:256]+"=1")),
			states([]string{"foo=1", z + "=1"}, without("foo", z)),
			states([]string{"foo=1", t[:241] + "@" + v[:14] + "=1"}, with("foo=1", t[:241]+"@"+v[:14]+"=1")),
			states([]string{"foo=1", t + "@v=1"}, with("foo=1", t+"@v=1")),
			states([]string{"foo=1", "t@" + v + "=1"}, with("foo=1", "t@"+v+"=1")),
		}},
		{"test_tracestate_value_illegal_characters", []Request{
			states([]string{"foo=bar=baz"}, without("foo")),
			states([]string{"foo=,bar=3"}, without("foo", "bar")),
		}},
	}
}

// numbered returns lines of ten members. The last line has the rest.
func numbered(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("bar%02d=%02d", i+1, i+1))
	}
	var lines []string
	for ten := range slices.Chunk(all, 10) {
		lines = append(lines, strings.Join(ten, ","))
	}
	return lines
}

// callCases are for services that make several requests.
func callCases() []Case {
	return []Case{
		{"test_multiple_requests_with_valid_traceparent", []Request{
			{Headers: []Header{parent(sampled)}, Calls: 3, checks: []check{continued(), ownSpans}},
		}},
		{"test_multiple_requests_without_traceparent", []Request{
			{Calls: 3, checks: []check{ownSpans}},
		}},
		{"test_multiple_requests_with_illegal_traceparent", []Request{
			{
				Headers: []Header{parent("00-" + zeroTrace + "-" + spanID + "-01")}, Calls: 3,
				checks: []check{restarted(zeroTrace), ownSpans},
			},
		}},
		{"test_propagates_random_flag", []Request{
			request([]Header{parent("00-" + traceID + "-" + spanID + "-02")}, continued(), withFlag(2)),
		}},
	}
}
