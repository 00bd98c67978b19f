// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package files reads and writes spans in files of OTLP's JSON form: one object, or several
// after each other, as the collector's file exporter writes them.
//
// A file may be larger than the memory, and may come from anybody.
package files

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/internal/otlpreceive/convert"
	"github.com/waybill-go/waybill/internal/otlpreceive/decode"
)

const (
	// MaxValue is how long one span or one resource may be in a file, about and in bytes.
	MaxValue = 8 << 20
	// batchBytes is how much text of spans is decoded at a time, about.
	batchBytes = 1 << 20
)

var (
	errTooLong = fmt.Errorf("a span or a resource is longer than %d MiB", MaxValue>>20)
	errShape   = errors.New("this is not OTLP in JSON")
)

// Counts says what was in a file.
type Counts struct {
	Spans    int   // that were taken
	Mended   int   // that had to be put right, of those
	Rejected int   // that cannot be shown
	Reason   error // why the first of these cannot; nil if there are none
	Others   int   // metrics, logs and profiles of resources, which are skipped
}

// Read reads spans from in until its end, and gives them to take, a few at a time and in their
// order. The slice and the spans belong to take.
//
// The spans before an error have been taken. At each time, Read has about twice [MaxValue] in
// memory. Of a resource with many spans, the schema URL is lost where it comes after them.
func Read(in io.Reader, take func([]sdktrace.ReadOnlySpan)) (Counts, error) {
	limited := &limitedReader{from: in}
	r := reader{in: limited, decoder: json.NewDecoder(limited), take: take}
	for {
		token, err := r.token()
		switch {
		case errors.Is(err, io.EOF):
			return r.counts, nil
		case err == nil && token != json.Delim('{'):
			err = errShape
		case err == nil:
			err = r.members(map[string]func() error{
				"resourceSpans":    func() error { return r.elements(r.resourceSpans) },
				"resourceMetrics":  func() error { return r.elements(r.other) },
				"resourceLogs":     func() error { return r.elements(r.other) },
				"resourceProfiles": func() error { return r.elements(r.other) },
			})
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return r.counts, fmt.Errorf("at byte %d: %w", r.decoder.InputOffset(), err)
		}
	}
}

// limitedReader ends with an error if one value is too long.
type limitedReader struct {
	from io.Reader
	left int // bytes until that is so
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLong
	}
	n, err := l.from.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

// reader walks through a file. It collects the spans of one resource, and decodes them together
// or, if they are many, a batch at a time.
type reader struct {
	in      *limitedReader
	decoder *json.Decoder
	take    func([]sdktrace.ReadOnlySpan)
	counts  Counts
	batch   batch
}

// token returns the next token.
func (r *reader) token() (json.Token, error) {
	r.in.left = MaxValue
	return r.decoder.Token()
}

// raw reads the next value as text.
func (r *reader) raw(value *json.RawMessage) error {
	r.in.left = MaxValue
	return r.decoder.Decode(value)
}

// skip skips the next value, however long it is.
func (r *reader) skip() error {
	for depth := 0; ; {
		token, err := r.token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			depth++
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// open reads the bracket that begins an array or an object. It reports false for null.
func (r *reader) open(bracket json.Delim) (bool, error) {
	token, err := r.token()
	if err == nil && token != bracket && token != nil {
		err = errShape
	}
	return err == nil && token == bracket, err
}

// object reads an object. It calls the function that of has for each member.
func (r *reader) object(of map[string]func() error) error {
	if there, err := r.open('{'); !there {
		return err
	}
	return r.members(of)
}

// members reads the members of an object and the bracket behind them.
func (r *reader) members(of map[string]func() error) error {
	for {
		token, err := r.token()
		if err != nil {
			return err
		}
		name, ok := token.(string)
		if !ok {
			return nil // the bracket
		}
		read := of[camelCase(name)]
		if read == nil {
			read = r.skip
		}
		if err := read(); err != nil {
			return err
		}
	}
}

// camelCase returns the name that OTLP has for a member in JSON. Protobuf's own libraries take
// the names of its fields too.
func camelCase(name string) string {
	switch name {
	case "resource_spans":
		return "resourceSpans"
	case "scope_spans":
		return "scopeSpans"
	case "schema_url":
		return "schemaUrl"
	default:
		return name
	}
}

// elements reads an array, and calls each for each element.
func (r *reader) elements(each func() error) error {
	if there, err := r.open('['); !there {
		return err
	}
	for r.more() {
		if err := each(); err != nil {
			return err
		}
	}
	_, err := r.token()
	return err
}

func (r *reader) more() bool {
	r.in.left = MaxValue
	return r.decoder.More()
}

// other skips the metrics, the logs or the profiles of a resource.
func (r *reader) other() error {
	r.counts.Others++
	return r.skip()
}

// resourceSpans reads the spans of a resource.
func (r *reader) resourceSpans() error {
	r.batch = batch{}
	err := r.object(map[string]func() error{
		"resource":   func() error { return r.raw(&r.batch.resource) },
		"schemaUrl":  func() error { return r.raw(&r.batch.schemaURL) },
		"scopeSpans": func() error { return r.elements(r.scopeSpans) },
	})
	if err != nil {
		return err
	}
	return r.flush()
}

func (r *reader) scopeSpans() error {
	err := r.object(map[string]func() error{
		"scope":     func() error { return r.raw(&r.batch.current.scope) },
		"schemaUrl": func() error { return r.raw(&r.batch.current.schemaURL) },
		"spans":     func() error { return r.elements(r.span) },
	})
	if err != nil {
		return err
	}
	r.batch.next()
	return r.flushIfFull()
}

func (r *reader) span() error {
	var span json.RawMessage
	if err := r.raw(&span); err != nil {
		return err
	}
	r.batch.add(span)
	return r.flushIfFull()
}

func (r *reader) flushIfFull() error {
	switch {
	case r.batch.bytes < batchBytes:
		return nil
	case r.batch.resource == nil:
		return errors.New("a resource comes after its spans, and these are too long")
	default:
		return r.flush()
	}
}

// flush decodes the batch and gives its spans to take.
func (r *reader) flush() error {
	if r.batch.spans == 0 {
		return nil
	}
	traces, err := decode.JSON(r.batch.document())
	if err != nil {
		return err
	}
	result := convert.Spans(traces, time.Time{})
	r.counts.Spans += len(result.Spans)
	r.counts.Mended += result.Mended
	r.counts.Rejected += result.Rejected
	if r.counts.Reason == nil {
		r.counts.Reason = result.Reason
	}
	if len(result.Spans) > 0 {
		r.take(result.Spans)
	}
	r.batch.flushed()
	return nil
}
