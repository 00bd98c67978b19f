// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package decode reads OTLP requests of strangers within bounds.
//
// A few bytes can stand for much memory: an empty span takes two bytes of protobuf and more
// than two hundred in memory. So each request is measured before it is decoded, and refused if
// it would take too much or is nested too deeply. What remains is read by the collector's
// library.
package decode

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// MaxMemory is what the spans of one request may take in memory when they are decoded, about
// and in bytes.
const MaxMemory = 64 << 20

// Errors of requests that are refused.
var (
	// ErrTooLarge says that the spans of a request would take more than [MaxMemory].
	ErrTooLarge = errors.New("the request would take too much memory")
	// ErrTooDeep says that values are nested too deeply.
	ErrTooDeep = errors.New("the request is nested too deeply")
	// ErrMalformed says that a request is not what it says it is.
	ErrMalformed = errors.New("the request is malformed")
)

// Proto decodes an ExportTraceServiceRequest in protobuf's binary form. The traces share no
// memory with body.
func Proto(body []byte) (ptrace.Traces, error) {
	if err := measureProto(body); err != nil {
		return ptrace.Traces{}, err
	}
	traces, err := new(ptrace.ProtoUnmarshaler).UnmarshalTraces(body)
	if err != nil {
		return ptrace.Traces{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return traces, nil
}

// JSON decodes an ExportTraceServiceRequest in OTLP's JSON form. The traces share no memory
// with body.
func JSON(body []byte) (ptrace.Traces, error) {
	if err := measureJSON(body); err != nil {
		return ptrace.Traces{}, err
	}
	traces, err := new(ptrace.JSONUnmarshaler).UnmarshalTraces(body)
	if err != nil {
		return ptrace.Traces{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return traces, nil
}

// budget is the memory that a request may still take, in bytes.
type budget int

// spend takes n bytes from the budget.
func (b *budget) spend(n int) error {
	if *b -= budget(n); *b < 0 {
		return ErrTooLarge
	}
	return nil
}
