// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	eventPause = 500 * time.Millisecond // between two events of a stream, at least
	eventTimes = 10                     // A pause is so many times as long as it took to find out what to send.
	eventBeat  = 15 * time.Second       // Something is sent at least as often, so that a lost connection is noticed.
	eventWrite = 10 * time.Second       // A browser that takes longer to read is given up.
)

// serveEvents sends what read returns as server-sent events with that name: at once, and
// when it has changed after a value came from the channel that watch returns. read is called
// at most twice a second, and less often if it takes long.
func (c *Console) serveEvents(
	w http.ResponseWriter, r *http.Request, name string, watch func(context.Context) <-chan struct{}, read func() any,
) {
	ctx, done, err := c.streams.add(r)
	if err != nil {
		w.Header().Set("Retry-After", "5")
		fail(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	defer done()
	to := http.NewResponseController(w)
	_ = to.SetReadDeadline(time.Time{}) // The time-outs of the server are for requests that have an end.
	_ = to.SetWriteDeadline(time.Now().Add(eventWrite))
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx hands on what it has.
	if err := to.Flush(); errors.Is(err, http.ErrNotSupported) {
		fail(w, http.StatusNotImplemented, "a handler in front of the console keeps answers until they end")
		return
	}
	if r.Method == http.MethodHead {
		return
	}
	changes := watch(ctx)
	beat := time.NewTicker(eventBeat)
	defer beat.Stop()
	var last []byte
	for {
		begin := time.Now()
		event, err := json.Marshal(read())
		took := time.Since(begin)
		if err != nil {
			return // It cannot be: what we send has a form in JSON.
		}
		if !bytes.Equal(event, last) {
			if send(w, to, "event: %s\ndata: %s\n\n", name, event) != nil {
				return
			}
			last = event
		}
		if !pause(ctx, max(eventPause, eventTimes*took)) {
			return
		}
		if !awaitChange(w, to, changes, beat.C) {
			return
		}
	}
}

// awaitChange returns true with the next change, and false if there is none or whoever
// watches has gone. Meanwhile it sends comments, of which browsers tell nobody.
func awaitChange(w io.Writer, to *http.ResponseController, changes <-chan struct{}, beat <-chan time.Time) bool {
	for {
		select {
		case _, ok := <-changes:
			return ok
		case <-beat:
			if send(w, to, ": nothing new\n\n") != nil {
				return false
			}
		}
	}
}

// send sends a part of a stream.
func send(w io.Writer, to *http.ResponseController, format string, args ...any) error {
	_ = to.SetWriteDeadline(time.Now().Add(eventWrite)) // Where this cannot be set, that of the server holds.
	if _, err := fmt.Fprintf(w, format, args...); err != nil {
		return err
	}
	return to.Flush()
}

// pause waits, and reports whether the context still lives.
func pause(ctx context.Context, length time.Duration) bool {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
