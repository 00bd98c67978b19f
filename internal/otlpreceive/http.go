// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlpreceive

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/waybill-go/waybill/internal/otlpreceive/decode"
	"github.com/waybill-go/waybill/internal/rebinding"
)

// Content types of OTLP over HTTP.
const (
	typeProto = "application/x-protobuf"
	typeJSON  = "application/json"
)

// retryAfter is after how many seconds an exporter should try again.
const retryAfter = "1"

// HTTP returns a handler of OTLP's paths, /v1/traces and its like. It takes requests of
// exporters, but not of pages that a browser shows.
func (r *Receiver) HTTP() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", r.serveTraces)
	for _, signal := range r.signals() {
		mux.HandleFunc("POST "+signal.path, func(w http.ResponseWriter, q *http.Request) {
			if _, done, ok := r.body(w, q); ok {
				defer done()
				r.count(signal)
				write(w, q, http.StatusOK, emptyAnswer(q))
			}
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "This is a receiver of OTLP. Exporters post to /v1/traces; the page is on another port.",
			http.StatusNotFound)
	})
	return r.keepOutPages(mux)
}

// keepOutPages refuses requests of pages. A browser says of a request from which origin it is,
// except if a page's name was made to resolve to this machine.
func (r *Receiver) keepOutPages(next http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if rebinding.Likely(q) || origins.Check(q) != nil || q.Header.Get("Origin") != "" {
			r.refuseText(w, http.StatusForbidden, "Pages of a browser cannot send traces.")
			return
		}
		next.ServeHTTP(w, q)
	})
}

func (r *Receiver) serveTraces(w http.ResponseWriter, q *http.Request) {
	body, done, ok := r.body(w, q)
	if !ok {
		return
	}
	defer done()
	read, encode := decode.Proto, answerProto
	if contentType(q) == typeJSON {
		read, encode = decode.JSON, answerJSON
	}
	answer, err := r.export(body, read)
	if err != nil {
		r.refuseStatus(w, q, err)
		return
	}
	encoded, err := encode(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	write(w, q, http.StatusOK, encoded)
}

// body returns the body of a request, decompressed. The caller calls done when it no longer
// needs the body. If body has refused the request instead, it reports false.
func (r *Receiver) body(w http.ResponseWriter, q *http.Request) (body []byte, done func(), ok bool) {
	if t := contentType(q); t != typeProto && t != typeJSON {
		r.refuseText(w, http.StatusUnsupportedMediaType, "The content type must be "+typeProto+" or "+typeJSON+".")
		return nil, nil, false
	}
	encoding := strings.ToLower(strings.TrimSpace(q.Header.Get("Content-Encoding")))
	if encoding != "" && encoding != "identity" && encoding != "gzip" {
		r.refuseText(w, http.StatusUnsupportedMediaType, "The content encoding must be gzip or none.")
		return nil, nil, false
	}
	done, err := r.admit(q.Context())
	if err != nil {
		r.refuseStatus(w, q, err)
		return nil, nil, false
	}
	// It fails only in tests that have no connection.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(r.maxArrival))
	body, err = readBody(w, q, encoding == "gzip")
	if err != nil {
		done()
		r.refuseStatus(w, q, err)
		return nil, nil, false
	}
	return body, done, true
}

func readBody(w http.ResponseWriter, q *http.Request, compressed bool) ([]byte, error) {
	if q.ContentLength > MaxRequest {
		return nil, errTooLong
	}
	var in io.Reader = http.MaxBytesReader(w, q.Body, MaxRequest)
	if compressed {
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return nil, readError(err)
		}
		in = unzipped
	}
	body, err := io.ReadAll(io.LimitReader(in, MaxRequest+1))
	if err != nil {
		return nil, readError(err)
	}
	if len(body) > MaxRequest {
		return nil, errTooLong
	}
	return body, nil
}

// readError says in our words why a body cannot be read.
func readError(err error) error {
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return errTooLong
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errTimeout
	default:
		return fmt.Errorf("%w: %w", errProtocol, err)
	}
}

// refuseText answers a request that is not one of OTLP.
func (r *Receiver) refuseText(w http.ResponseWriter, code int, why string) {
	r.refuse(why)
	http.Error(w, why, code)
}

// refuseStatus answers a request that is refused, as OTLP says: with a Status in the encoding of the
// request. Exporters send a request again if it is 503.
func (r *Receiver) refuseStatus(w http.ResponseWriter, q *http.Request, err error) {
	r.refuse(err.Error())
	code := http.StatusBadRequest
	switch {
	case errors.Is(err, errBusy), errors.Is(err, context.Canceled):
		code = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", retryAfter)
	case errors.Is(err, errTimeout):
		code = http.StatusRequestTimeout
	case errors.Is(err, errTooLong), errors.Is(err, decode.ErrTooLarge):
		code = http.StatusRequestEntityTooLarge
	}
	why := status.New(grpcCode(err), err.Error()).Proto()
	encode := proto.Marshal
	if contentType(q) == typeJSON {
		encode = protojson.Marshal
	}
	encoded, failed := encode(why)
	if failed != nil { // The error quotes something that is not UTF-8.
		encoded, _ = encode(status.New(codes.InvalidArgument, decode.ErrMalformed.Error()).Proto())
	}
	write(w, q, code, encoded)
}
