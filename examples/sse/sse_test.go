// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/sampling/fanout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The trace of a newsroom goes on at the broker, and reaches a sample of the subscribers.
func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, 100, 3))
	assert.Regexp(t, `^trace [0-9a-f]{32}: 14 spans of 2 services in .*\n(.+\n)+\n`+
		`service +span .*\n`+
		`newsroom {2}publish .*\n`+
		`newsroom {4}HTTP POST .*\n`+
		`broker {8}POST /news .*\n`+
		`broker {10}broadcast news .*\n`+
		`(broker {12}write news .*░.* × 10\n){3}`+
		` +… 7 more like these`, out.String())
	assert.Contains(t, out.String(), "3 traced broadcasts to 300 recipients, of which 30 (10 %) were sampled")
	assert.Contains(t, out.String(), "\nbroker: 300 news were delivered, 0 refused\n")

	out.Reset()
	assert.ErrorIs(t, run(t.Context(), &out, 0, 1), errFlags)
	assert.ErrorIs(t, run(t.Context(), &out, 1, 0), errFlags)
	assert.Empty(t, out.String())
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, run(ctx, io.Discard, 3, 1), context.Canceled)
}

func newBroker(t *testing.T, opts ...fanout.Option) *broker {
	t.Helper()
	f, err := fanout.New("news", opts...)
	require.NoError(t, err)
	return &broker{fanout: f}
}

func TestPublish(t *testing.T) {
	b := newBroker(t)
	q, err := b.subscribe()
	require.NoError(t, err)
	h := newPublications(b)
	for _, test := range []struct {
		name, method, body string
		want               int
	}{
		{"text", "POST", "the news", http.StatusAccepted},
		{"as long as it may be", "POST", strings.Repeat("x", maxNews), http.StatusAccepted},
		{"too long", "POST", strings.Repeat("x", maxNews+1), http.StatusRequestEntityTooLarge},
		{"nothing", "POST", "", http.StatusBadRequest},
		{"no text", "POST", "\xff", http.StatusBadRequest},
		{"another method", "GET", "", http.StatusMethodNotAllowed},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), test.method, "/news", strings.NewReader(test.body)))
		assert.Equal(t, test.want, w.Code, test.name)
	}
	assert.Len(t, q, 2)
	assert.Equal(t, news{1, "the news"}, (<-q).Message())
	b.unsubscribe(q)
	b.unsubscribe(q) // Twice is once.
}

func TestSubscribersAreBounded(t *testing.T) {
	b := newBroker(t)
	subscribe := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		newSubscriptions(b).ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/events", nil))
		return w
	}
	var last queue
	for range maxSubscribers {
		q, err := b.subscribe()
		require.NoError(t, err)
		last = q
	}
	w := subscribe()
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.Equal(t, "10", w.Header().Get("Retry-After"))
	assert.Contains(t, w.Body.String(), errFull.Error())
	b.unsubscribe(last)
	assert.Equal(t, http.StatusOK, subscribe().Code)
	assert.Len(t, b.queues, maxSubscribers-1, "who has gone has left no queue")
	b.close()
	assert.Contains(t, subscribe().Body.String(), errClosed.Error())
}
