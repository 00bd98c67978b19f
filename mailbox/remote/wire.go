// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// Headers of ours, beside those of package headers. NATS tells upper from lower case.
const (
	// timeoutField is on a call: how long its caller still waits, in milliseconds. Clocks
	// differ, so it is no time of day.
	timeoutField = "waybill-timeout"
	// errorField is on an answer that is a failure: its code.
	errorField = "waybill-error"
	// workingField is on what comes before an answer that takes long: the ID of the node that
	// will answer.
	workingField = "waybill-node"

	// Headers of NATS's own services.
	serviceErrorField = "Nats-Service-Error"
	serviceCodeField  = "Nats-Service-Error-Code"
	statusField       = "Status"
	noResponders      = "503"
)

// writeTimeout returns what travels of the time that is left.
func writeTimeout(left time.Duration) string {
	return strconv.FormatInt(max((left+time.Millisecond-1).Milliseconds(), 1), 10)
}

// readTimeout returns how long a request may take to answer: what its header says, within
// bounds, or byDefault if that says nothing. ok is false if what it says makes no sense.
func readTimeout(in nats.Header, byDefault, most time.Duration) (left time.Duration, said, ok bool) {
	values := in[timeoutField]
	if len(values) == 0 {
		return min(byDefault, most), false, true
	}
	ms, err := strconv.ParseUint(values[0], 10, 63)
	if err != nil || len(values) > 1 || ms == 0 {
		return min(byDefault, most), true, false
	}
	if ms > uint64(most/time.Millisecond) { //nolint:gosec // Not negative.
		return most, true, true
	}
	return min(time.Duration(ms)*time.Millisecond, most), true, true
}

// failed returns the answer to a request that failed.
func failed(to, code, text string) *nats.Msg {
	if text == "" {
		text = code
	}
	return &nats.Msg{Subject: to, Header: nats.Header{
		errorField:        {code},
		serviceErrorField: {text},
		serviceCodeField:  {statuses[code]},
	}}
}

// failureIn returns the failure that an answer is, nil if it is none. subject is where the
// request went.
func failureIn(m *nats.Msg, subject string) *Error {
	if len(m.Header) == 0 {
		return nil
	}
	if m.Header.Get(statusField) == noResponders && len(m.Data) == 0 {
		return &Error{Code: codeStopped, Text: "nobody serves it", Subject: subject, also: nats.ErrNoResponders}
	}
	code, text := m.Header.Get(errorField), m.Header.Get(serviceErrorField)
	if code == "" {
		if text == "" && m.Header.Get(serviceCodeField) == "" {
			return nil
		}
		code = codeFailed // Of a service that knows nothing of this package.
	}
	return &Error{Code: printable(code), Text: printable(text), Subject: subject}
}
