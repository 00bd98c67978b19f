// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/examples/guild/internal/api"
	"github.com/waybill-go/waybill/propagate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service makes one whose guild service is not there, and which logs to log.
func service(t *testing.T, log *bytes.Buffer) (s *api.Service, guilds string) {
	t.Helper()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, gone.Close())
	guilds = gone.Addr().String()
	s, err = api.New(t.Context(), api.Config{
		Guilds: 1, GuildsAddr: guilds, Provider: noop.NewTracerProvider(), Propagator: propagate.NewSampledFirst(),
		Control: http.NotFoundHandler(), Sessions: http.NotFoundHandler(), Page: http.NotFoundHandler(),
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Shutdown(t.Context()) })
	return s, guilds
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
	var log bytes.Buffer
	s, guilds := service(t, &log)
	post := func() *http.Request {
		return request(t, http.MethodPost, strings.NewReader(`{"content":"x"}`))
	}
	w := do(s, post())
	assert.Equal(t, http.StatusBadGateway, w.Code)
	assert.JSONEq(t, `{"error":"post 1 is stored, but was not delivered"}`, w.Body.String())
	assert.Contains(t, log.String(), guilds)

	require.NoError(t, s.CloseStore())
	log.Reset()
	w = do(s, post())
	assert.Equal(t, http.StatusInternalServerError, w.Code)
	assert.JSONEq(t, `{"error":"the post could not be stored"}`, w.Body.String())
	assert.Contains(t, log.String(), "sql")

	log.Reset()
	w = do(s, request(t, http.MethodGet, nil))
	assert.Equal(t, http.StatusInternalServerError, w.Code)
	assert.JSONEq(t, `{"error":"the posts could not be read"}`, w.Body.String())
	assert.Contains(t, log.String(), "sql")

	broken := iotest.ErrReader(errors.New("read tcp 10.0.0.1:8080: i/o timeout"))
	w = do(s, request(t, http.MethodPost, broken))
	assert.Equal(t, http.StatusBadRequest, w.Code)
	assert.JSONEq(t, `{"error":"the post did not arrive in full"}`, w.Body.String())
}
