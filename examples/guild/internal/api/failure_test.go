// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/examples/guild/internal/api"
	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/guilds"
	"github.com/waybill-go/waybill/examples/guild/internal/store"
	"github.com/waybill-go/waybill/propagate"
)

// patience bounds every wait of these tests; none is expected to take it.
const patience = time.Minute

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines is a log that may be written by any number of goroutines.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// take returns what has been logged since.
func (l *lines) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.b.Reset()
	return l.b.String()
}

// nowhere returns an address where nobody listens.
func nowhere(t *testing.T) string {
	t.Helper()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, gone.Close())
	return gone.Addr().String()
}

// token is what the guild service of these tests does not ask for.
const token = guilds.Token("x")

// service makes one that logs to log.
func service(t *testing.T, db *store.Store, guilds string, log *lines) *api.Service {
	t.Helper()
	return tracedService(t, db, guilds, log, noop.NewTracerProvider())
}

func tracedService(t *testing.T, db *store.Store, guilds string, log *lines, provider trace.TracerProvider) *api.Service {
	t.Helper()
	return serviceOf(t, api.Config{Provider: provider, Browser: provider}, db, guilds, log)
}

// serviceOf makes one of what c has, and of what these tests have in common.
func serviceOf(t *testing.T, c api.Config, db *store.Store, guilds string, log *lines) *api.Service {
	t.Helper()
	c.Store, c.Guilds, c.GuildsAddr, c.Token, c.Propagator = db, 1, guilds, token, propagate.SampledFirst{}
	c.Sessions = func(chat.Door) http.Handler { return http.NotFoundHandler() }
	c.Page, c.Logger = http.NotFoundHandler(), slog.New(slog.NewTextHandler(log, nil))
	s, err := api.New(t.Context(), c)
	require.NoError(t, err)
	return s
}

func openStore(t *testing.T, file string) *store.Store {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{File: file, Guilds: 1, Keep: 10_000})
	require.NoError(t, err)
	return db
}

func request(t *testing.T, method string, body io.Reader) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), method, "http://localhost/guilds/1/messages", body)
}

func do(s *api.Service, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

// What fails inside is told to the operators, and not to strangers.
func TestFailuresInsideAreNotToldToClients(t *testing.T) {
	var log lines
	guilds, db := nowhere(t), openStore(t, "")
	s := service(t, db, guilds, &log)
	defer s.Shutdown(context.Background()) //nolint:errcheck // Its store is closed below.
	post := func() *http.Request {
		return request(t, http.MethodPost, strings.NewReader(`{"content":"x"}`))
	}
	w := do(s, post())
	assert.Equal(t, http.StatusAccepted, w.Code)
	assert.JSONEq(t, `{"id":1,"guild":1,"seq":1,"author":"anonymous","content":"x"}`, w.Body.String())
	assert.EventuallyWithT(t, func(t *assert.CollectT) { assert.Contains(t, log.take(), guilds) }, patience, time.Millisecond)

	require.NoError(t, db.Close(t.Context()))
	log.take()
	w = do(s, post())
	assert.Equal(t, http.StatusInternalServerError, w.Code)
	assert.JSONEq(t, `{"error":"the post could not be stored"}`, w.Body.String())
	assert.Contains(t, log.take(), "sql")

	w = do(s, request(t, http.MethodGet, nil))
	assert.Equal(t, http.StatusInternalServerError, w.Code)
	assert.JSONEq(t, `{"error":"the posts could not be read"}`, w.Body.String())
	assert.Contains(t, log.take(), "sql")

	broken := iotest.ErrReader(errors.New("read tcp 10.0.0.1:8080: i/o timeout"))
	w = do(s, request(t, http.MethodPost, broken))
	assert.Equal(t, http.StatusBadRequest, w.Code)
	assert.JSONEq(t, `{"error":"the post did not arrive in full"}`, w.Body.String())
}
