// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/dop251/goja"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The page that is served shows every post, in order, of two who post at once.
func TestThePageShowsEveryPostOfTwoPosters(t *testing.T) {
	const each = 50
	e := start(t, "-sessions", "20", "-slow", "0", "-posts", "0")
	resp, err := http.Get("http://" + e.api + "/feed.js")
	require.NoError(t, err)
	script, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	http.DefaultClient.CloseIdleConnections()
	page := goja.New()
	run := func(script string) any {
		v, err := page.RunString(script)
		require.NoError(t, err)
		return v.Export()
	}
	run(string(script))
	run(`const shown = [], feed = new Feed({ show: (m) => shown.push(m), say: () => {}, anew: () => {} });
		feed.history([]);`)

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	conn, _, err := websocket.Dial(ctx, fmt.Sprintf("%s?guild=1%s", e.ws, run(`feed.query`)), //nolint:bodyclose // Dial does.
		&websocket.DialOptions{HTTPClient: client})
	require.NoError(t, err)
	var posters sync.WaitGroup
	for _, name := range []string{"ann", "bob"} {
		posters.Go(func() {
			for i := range each {
				status, _ := e.post("1", fmt.Sprintf(`{"author":%q,"content":"%d"}`, name, i))
				assert.Equal(t, http.StatusCreated, status)
			}
		})
	}
	for range 1 + 2*each { // The first event is none of them.
		_, data, err := conn.Read(ctx)
		require.NoError(t, err)
		require.Equal(t, true, run(`feed.take(`+string(data)+`)`))
	}
	posters.Wait()
	require.NoError(t, conn.Close(websocket.StatusNormalClosure, ""))
	assert.EqualValues(t, 2*each, run(`shown.length`))
	for _, name := range []string{"ann", "bob"} {
		assert.Equal(t, true, run(fmt.Sprintf(
			`shown.filter((m) => m.author === %q).every((m, i) => m.content === String(i))`, name)))
	}
	e.finish()
}
