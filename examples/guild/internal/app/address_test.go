// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The page works at any address that it is told to listen on, and for no page of
// others.
func TestThePageWorksWhereItIsToldTo(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0", ":0", "localhost:0"} {
		t.Run(addr, func(t *testing.T) {
			if strings.Contains(addr, "::") && !hasIPv6(t) {
				t.Skip("no IPv6 here")
			}
			e := start(t, "-addr", addr, "-names", "chat.example,other.example", "-sessions", "12", "-posts", "1")
			_, port, err := net.SplitHostPort(e.api)
			require.NoError(t, err)
			for _, host := range []string{e.api, "chat.example:" + port, "192.0.2.1", "localhost:" + port} {
				assert.Equal(t, http.StatusOK, e.visit(http.MethodGet, "/", host, ""), host)
				assert.Equal(t, http.StatusCreated, e.visit(http.MethodPost, "/guilds/1/messages", host, "http://"+host), host)
				assert.Equal(t, http.StatusSwitchingProtocols, e.open(host, "http://"+host), host)
				for _, origin := range []string{"http://evil.example", "http://127.0.0.1:1", "http://[::1]:1", "null"} {
					assert.Equal(t, http.StatusForbidden, e.visit(http.MethodPost, "/guilds/1/messages", host, origin), origin)
					assert.Equal(t, http.StatusForbidden, e.open(host, origin), origin)
				}
			}
			const rebound = "evil.example"
			assert.Equal(t, http.StatusMisdirectedRequest, e.visit(http.MethodGet, "/api/config", rebound, ""))
			assert.Equal(t, http.StatusMisdirectedRequest, e.visit(http.MethodPost, "/guilds/1/messages", rebound, "http://"+rebound))
			assert.Equal(t, http.StatusMisdirectedRequest, e.open(rebound, "http://"+rebound))
			e.finish()
		})
	}
}

func hasIPv6(t *testing.T) bool {
	t.Helper()
	l, err := net.Listen("tcp", "[::1]:0")
	if err == nil {
		require.NoError(t, l.Close())
	}
	return err == nil
}

// visit sends a request for a host, from a page of origin, and returns the status.
func (e *example) visit(method, path, host, origin string) int {
	e.t.Helper()
	req, err := http.NewRequestWithContext(e.t.Context(), method, "http://"+e.api+path, strings.NewReader(`{"content":"x"}`))
	require.NoError(e.t, err)
	req.Host = host
	if origin != "" {
		req.Header.Set("Origin", origin)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(e.t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(e.t, err)
	require.NoError(e.t, resp.Body.Close())
	return resp.StatusCode
}

// open opens a WebSocket like that, and returns the status.
func (e *example) open(host, origin string) int {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	conn, resp, err := websocket.Dial(ctx, e.ws+"?guild=1", &websocket.DialOptions{ //nolint:bodyclose // Dial does.
		HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		Host:       host, HTTPHeader: http.Header{"Origin": {origin}},
	})
	require.NotNil(e.t, resp, "%v", err)
	if err == nil {
		_, _, err = conn.Read(ctx)
		assert.NoError(e.t, err)
		assert.NoError(e.t, conn.Close(websocket.StatusNormalClosure, ""))
	}
	return resp.StatusCode
}
