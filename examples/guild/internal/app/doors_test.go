// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is for operators is where no stranger need be let to, and nowhere else.
func TestOperatorsHaveAListenerOfTheirOwn(t *testing.T) {
	e := start(t, "-sessions", "1", "-posts", "0")
	assert.Equal(t, http.StatusNotFound, e.visit(http.MethodGet, "/tracing", e.api, ""))
	assert.NotEqual(t, http.StatusOK, e.visit(http.MethodPut, "/tracing", e.api, ""))
	assert.Equal(t, http.StatusNotFound, e.visit(http.MethodGet, "/guilds", e.api, ""))
	assert.Regexp(t, `^127\.0\.0\.1:`, e.ops, "only this machine reaches it, if nothing else is asked for")
	public := e.api
	e.api = e.ops
	assert.Equal(t, http.StatusOK, e.visit(http.MethodGet, "/tracing", e.ops, ""))
	assert.Equal(t, http.StatusMisdirectedRequest, e.visit(http.MethodGet, "/tracing", "evil.example", ""))
	assert.Equal(t, http.StatusForbidden, e.visit(http.MethodPut, "/tracing", e.ops, "http://evil.example"))
	assert.Equal(t, http.StatusForbidden, e.visit(http.MethodPut, "/tracing", e.ops, "http://"+public), "a page of strangers' content")
	assert.Equal(t, http.StatusOK, e.visit(http.MethodGet, "/guilds", e.ops, ""))
	for _, path := range []string{"/guilds/1/messages", "/ws"} {
		assert.Equal(t, http.StatusNotFound, e.visit(http.MethodGet, path, e.ops, ""), path)
	}
	e.api = public
	e.finish()
}

// The console and the trouble are for operators, who have them beside the chat as well if
// nobody else reaches that, and for no page of others.
func TestWhoMaySeeAllAndCauseTrouble(t *testing.T) {
	e := start(t, "-sessions", "1", "-posts", "0")
	public := e.api
	for _, at := range []string{e.ops, public} {
		e.api = at
		for _, path := range []string{"/", "/page.js", "/trouble", "/console/", "/console/api/about", "/console/api/traces"} {
			assert.Equal(t, http.StatusOK, e.visit(http.MethodGet, path, at, ""), path)
		}
		assert.Equal(t, http.StatusForbidden, e.visit(http.MethodPut, "/console/api/config", at, "http://evil.example"))
		assert.Equal(t, http.StatusMisdirectedRequest, e.visit(http.MethodGet, "/console/api/traces", "evil.example", ""))
		assert.Equal(t, http.StatusForbidden, e.visit(http.MethodPost, "/trouble/slow-guild", at, "http://evil.example"))
		assert.Equal(t, http.StatusForbidden, e.visit(http.MethodDelete, "/trouble/slow-guild", at, "null"))
		assert.Equal(t, http.StatusMisdirectedRequest, e.visit(http.MethodPost, "/trouble/slow-guild", "evil.example", ""))
	}
	e.finish()
	for _, args := range [][]string{{"-addr", ":0"}, {"-addr", "127.0.0.1:0", "-names", "chat.example"}} {
		e = start(t, append([]string{"-sessions", "1", "-posts", "0"}, args...)...)
		for _, path := range []string{"/trouble", "/console/", "/console/api/traces", "/metrics"} {
			assert.Equal(t, http.StatusNotFound, e.visit(http.MethodGet, path, e.api, ""), "%s %v", path, args)
		}
		assert.Equal(t, http.StatusOK, e.visit(http.MethodGet, "/", e.api, ""), args)
		assert.NotEqual(t, http.StatusOK, e.visit(http.MethodPost, "/trouble/slow-guild", e.api, ""), args)
		e.finish()
	}
}

// Posts whose bodies trickle keep nobody from posting, and no operator from stopping
// the program, which is no failure.
func TestTricklingBodiesHoldNothingUp(t *testing.T) {
	e := start(t, "-sessions", "10", "-slow", "0", "-posts", "0")
	for range 150 {
		conn, err := net.Dial("tcp", e.api)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		_, err = io.WriteString(conn, "POST /guilds/1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n{")
		require.NoError(t, err)
	}
	status, a := e.post("1", `{"content":"x"}`)
	assert.Equal(t, http.StatusCreated, status)
	assert.EqualValues(t, 10, a.Delivered)

	begun := time.Now()
	r := e.finish() // Which sees that the exit code is 0.
	assert.Less(t, time.Since(begun), 9*time.Second, "three for those who might still end, and some for a busy machine")
	assert.EqualValues(t, 1, r.Summary.Posts)
}
