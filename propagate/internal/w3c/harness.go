// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package w3c

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
)

// Harness is both sides of a service that speaks HTTP: it sends the requests of a case,
// and receives those that the service makes.
type Harness struct {
	server *httptest.Server

	mu   sync.Mutex
	sent []Sent
}

// NewHarness starts the receiving side. Close it at the end.
func NewHarness() *Harness {
	h := &Harness{}
	h.server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.sent = append(h.sent, Sent{r.Header.Values("traceparent"), r.Header.Values("tracestate")})
	}))
	return h
}

// URL is where the service should send its requests.
func (h *Harness) URL() string { return h.server.URL }

// Close stops the receiving side, and blocks until its requests have ended.
func (h *Harness) Close() { h.server.Close() }

const callsParameter = "calls"

// Calls returns how many requests a service should make while it handles r.
func Calls(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Query().Get(callsParameter))
	if err != nil {
		return 0
	}
	return n
}

// Run sends the requests of c to the service at addr, a host and a port, one after the
// other. It returns what is wrong with the requests that the service made.
func (h *Harness) Run(ctx context.Context, addr string, c Case) error {
	var failures []error
	for i, r := range c.Requests {
		h.mu.Lock()
		h.sent = nil
		h.mu.Unlock()
		if err := post(ctx, addr, r); err != nil {
			return err
		}
		h.mu.Lock()
		sent := h.sent
		h.mu.Unlock()
		if err := r.Check(sent); err != nil {
			failures = append(failures, fmt.Errorf("request %d: %w", i+1, err))
		}
	}
	return errors.Join(failures...)
}

// post sends r to addr, with its header as it is.
func post(ctx context.Context, addr string, r Request) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // The response has been read.
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	var text strings.Builder
	fmt.Fprintf(&text, "POST /?%s=%d HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: 0\r\n",
		callsParameter, r.Calls, addr)
	for _, line := range r.Headers {
		fmt.Fprintf(&text, "%s: %s\r\n", line.Name, line.Value)
	}
	text.WriteString("\r\n")
	if _, err := io.WriteString(conn, text.String()); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // It has been read.
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the service answered %s", response.Status)
	}
	return nil
}
