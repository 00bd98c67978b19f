// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// stream is the answer to a subscriber: events, one after the other.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	err     error // After it, nothing more is written.
}

// newStream begins the answer. It may last for ever, so it is not bound by the time-outs of
// the server, but each event is.
func newStream(w http.ResponseWriter) *stream {
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	s := &stream{w: w, control: http.NewResponseController(w)}
	s.err = s.control.SetReadDeadline(time.Time{}) // Or the request would end with the time-out of its headers.
	return s
}

// news writes news.
func (s *stream) news(_ context.Context, n news) error {
	data, err := json.Marshal(n) // It has no line breaks.
	if err != nil {
		return err
	}
	return s.write("id: %d\nevent: news\ndata: %s\n\n", n.ID, data)
}

// farewell says why the stream ends.
func (s *stream) farewell(why error) error { return s.write("event: end\ndata: %s\n\n", why) }

// comment writes a line that subscribers pass over.
func (s *stream) comment(text string) error { return s.write(": %s\n\n", text) }

// write writes within writeTime, or not at all.
func (s *stream) write(format string, args ...any) error {
	for _, step := range []func() error{
		func() error { return s.control.SetWriteDeadline(time.Now().Add(writeTime)) },
		func() error {
			_, err := fmt.Fprintf(s.w, format, args...)
			return err
		},
		s.control.Flush,
	} {
		if s.err == nil {
			s.err = step()
		}
	}
	return s.err
}
