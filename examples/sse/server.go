// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
	"golang.org/x/net/netutil"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/propagate"
)

// Bounds of what a request may take.
const (
	maxNews   = 4 << 10 // bytes
	maxHeader = 16 << 10
	maxConns  = maxSubscribers + 100 // of one listener

	readTime  = 3 * time.Second  // until a request is there
	writeTime = 5 * time.Second  // until an event, or an answer, is taken
	idleTime  = 20 * time.Second // from one request to the next
	beatTime  = 15 * time.Second // so that a subscriber that has vanished is noticed
)

// newSubscriptions returns what strangers reach: GET /events. None of their headers is read,
// and there is no span of a subscription, because that would last as long as its connection.
func newSubscriptions(b *broker) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		q, err := b.subscribe()
		if err != nil {
			w.Header().Set("Retry-After", "10")
			w.Header().Set("Connection", "close")
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		s := newStream(w)
		write := envelope.Handler(r.Context(), "write news", s.news)
		beat := time.NewTicker(beatTime)
		defer beat.Stop()
		for err = s.comment("welcome"); err == nil; {
			select {
			case e, open := <-q:
				if !open {
					_ = s.farewell(b.why())
					return
				}
				err = write(e)
			case <-beat.C:
				err = s.comment("beat")
			case <-r.Context().Done():
				err = r.Context().Err()
			}
		}
		// The subscriber has gone. What waits for it fails, and its spans say so.
		s.err = err
		b.unsubscribe(q)
		for e := range q {
			_ = write(e)
		}
	})
	return mux
}

// newPublications returns what our own services reach: POST /news. It continues their traces.
// If strangers could reach it, the policy would have to be Link or Ignore.
func newPublications(b *broker) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /news", func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxNews))
		switch tooLarge := new(http.MaxBytesError); {
		case errors.As(err, &tooLarge):
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		case err != nil || len(text) == 0 || !utf8.Valid(text):
			http.Error(w, "news is text", http.StatusBadRequest)
			return
		}
		n, d := b.publish(r.Context(), string(text))
		w.WriteHeader(http.StatusAccepted)
		_ = json.NewEncoder(w).Encode(published{n.ID, d.Delivered, d.Refused})
	})
	boundary := propagate.Boundary{
		Policy: propagate.Continue,
		Propagator: propagation.NewCompositeTextMapPropagator(
			propagate.TraceContext{}, propagate.Baggage{Allow: []string{"tenant"}, MaxBytes: 1024}),
	}
	return otelhttp.NewHandler(mux, "", otelhttp.WithPropagators(boundary))
}

// published is the answer to whoever publishes.
type published struct {
	ID        int64 `json:"id"`
	Delivered int   `json:"delivered"` // subscribers whose queue has taken it
	Refused   int   `json:"refused"`   // subscribers that had no room
}

// newServer returns a server within bounds.
func newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeader,
	}
}

// serve answers until the server is shut down.
func serve(s *http.Server, listener net.Listener) {
	_ = s.Serve(netutil.LimitListener(listener, maxConns)) // It returns when the server is shut down.
}
