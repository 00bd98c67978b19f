// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Clients that stop reading for a while, until their sessions could not keep up, have
// every message in the end, and the report says how they got them.
func TestClientsThatPauseHaveEverything(t *testing.T) {
	e := start(t, "-sessions", "12", "-slow", "0", "-posts", "0")
	clients := newFollowers(t, e.api)
	for range 3 {
		clients.add(make(chan struct{}))
		clients.add(nil)
	}
	e.until(func() bool { return e.view("1").Here == 12+6 }) // Who comes later catches up first, and is not refused.
	long := strings.Repeat("\U0001F600", 2000)               // 8 kB, to fill the buffers on the way soon.
	posted, refused := int64(0), int64(0)
	for refused < 3 && e.view("1").Lost < 3 { // Lost, where posts come slowly: a message takes too long.
		status, a := e.post("1", `{"content":"`+long+`"}`)
		require.Equal(t, http.StatusCreated, status)
		require.NoError(t, clients.ctx.Err())
		posted++
		refused += a.Recipients - a.Delivered
	}
	for _, client := range clients.all {
		if client.pause != nil {
			close(client.pause)
		}
	}
	for range 20 {
		status, _ := e.post("1", `{"content":"x"}`)
		require.Equal(t, http.StatusCreated, status)
		posted++
	}
	assert.Len(t, clients.contents(posted), 6)
	clients.stop()
	clients.running.Wait()
	r := e.finish()
	assert.GreaterOrEqual(t, r.Summary.Behind, int64(1))
	assert.Positive(t, r.Summary.CaughtUp)
	assert.Zero(t, r.Summary.Gone)
	assert.GreaterOrEqual(t, r.Summary.Delivered, posted*(12+6))
}
