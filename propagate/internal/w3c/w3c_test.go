// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package w3c_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/propagate/internal/w3c"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sentAs returns what a service sends that takes each of its requests to be of
// one trace.
func sentAs(traceID string, r w3c.Request, tracestate ...string) []w3c.Sent {
	sent := make([]w3c.Sent, r.Calls)
	for i := range sent {
		sent[i] = w3c.Sent{
			Traceparent: []string{fmt.Sprintf("00-%s-%016x-01", traceID, i+1)}, Tracestate: tracestate,
		}
	}
	return sent
}

const fresh = "99999999999999999999999999999999"

// deaf is a service that reads no header.
func deaf(r w3c.Request) []w3c.Sent { return sentAs(fresh, r) }

var digits = regexp.MustCompile(`[0-9a-f]{31,}`)

// credulous is a service that believes whatever looks like a header.
func credulous(r w3c.Request) []w3c.Sent {
	traceID := fresh
	var states []string
	for _, h := range r.Headers {
		name := strings.ToLower(h.Name)
		switch {
		case strings.HasSuffix(name, "state"):
			states = append(states, h.Value)
		case digits.MatchString(h.Value) && traceID == fresh:
			traceID = (digits.FindString(h.Value) + "0")[:32]
		}
	}
	return sentAs(traceID, r, states...)
}

// No request can be handled right by both of these, but for those that say
// nothing: so every check of the table finds something.
func TestEachRequestFindsAFault(t *testing.T) {
	for _, c := range w3c.Cases() {
		for i, r := range c.Requests {
			if len(r.Headers) == 0 {
				assert.NoError(t, r.Check(deaf(r)), c.Name)
				continue
			}
			failed := 0
			for _, service := range []func(w3c.Request) []w3c.Sent{deaf, credulous} {
				if r.Check(service(r)) != nil {
					failed++
				}
			}
			assert.Positive(t, failed, "%s, request %d", c.Name, i+1)
		}
	}
}

func TestEveryCheckReadsTheHeaders(t *testing.T) {
	const parent = "00-" + fresh + "-0000000000000001-01"
	for name, broken := range map[string]w3c.Sent{
		"none":             {},
		"two":              {Traceparent: []string{parent, parent}},
		"malformed":        {Traceparent: []string{parent + "-"}},
		"later version":    {Traceparent: []string{"01" + parent[2:]}},
		"zero trace":       {Traceparent: []string{"00-" + strings.Repeat("0", 32) + "-0000000000000001-01"}},
		"zero span":        {Traceparent: []string{"00-" + fresh + "-0000000000000000-01"}},
		"malformed member": {Traceparent: []string{parent}, Tracestate: []string{"a=1,B=2"}},
		"too many members": {Traceparent: []string{parent}, Tracestate: []string{strings.Repeat("a=1,", 33)}},
	} {
		for _, c := range w3c.Cases() {
			for _, r := range c.Requests {
				sent := deaf(r)
				sent[len(sent)-1] = broken
				assert.Error(t, r.Check(sent), "%s, %s", c.Name, name)
				assert.Error(t, r.Check(nil), c.Name)
			}
		}
	}
}

func TestSpansOfOneRequestDiffer(t *testing.T) {
	cases := 0
	for _, c := range w3c.Cases() {
		for _, r := range c.Requests {
			if r.Calls == 1 {
				continue
			}
			cases++
			sent := credulous(r)
			if r.Check(sent) != nil {
				sent = deaf(r)
			}
			require.NoError(t, r.Check(sent), c.Name)
			sent[1] = sent[0]
			assert.ErrorContains(t, r.Check(sent), "two requests have the span", c.Name)
		}
	}
	assert.Equal(t, 3, cases)
}

func TestHarnessSendsHeadersAsTheyAre(t *testing.T) {
	var got http.Header
	harness := w3c.NewHarness()
	defer harness.Close()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Clone() }))
	defer server.Close()
	err := harness.Run(t.Context(), server.Listener.Addr().String(), w3c.Case{Requests: []w3c.Request{{
		Headers: []w3c.Header{{"TRACEstate", "a=1"}, {"tracestate", ""}, {"tracestate", " b=2\t"}}, Calls: 1,
	}}})
	require.ErrorContains(t, err, "0 requests, not 1")
	assert.Equal(t, []string{"a=1", "", "b=2"}, got["Tracestate"])
}

func TestHarnessTellsOfAServiceThatFails(t *testing.T) {
	harness := w3c.NewHarness()
	defer harness.Close()
	server := httptest.NewServer(http.NotFoundHandler())
	addr := server.Listener.Addr().String()
	assert.ErrorContains(t, harness.Run(t.Context(), addr, w3c.Cases()[0]), "404")
	server.Close()
	assert.Error(t, harness.Run(t.Context(), addr, w3c.Cases()[0]))
}
