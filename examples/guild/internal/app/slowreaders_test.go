// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Clients that never read, however many try, take bounded memory.
func TestClientsThatNeverReadTakeBoundedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program, and takes until the clients are let go of")
	}
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc to tell how much memory a program had")
	}
	const clients, posts, limit = 1500, 600, 100 << 20
	p := launch(t.Context(), t, build(t), "-sessions", "100", "-slow", "0")
	var conns []net.Conn
	for range clients {
		conn, err := net.Dial("tcp", p.addr)
		require.NoError(t, err)
		require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(4096))
		_, err = fmt.Fprintf(conn, "GET /ws?guild=1&since=0 HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", p.addr)
		require.NoError(t, err)
		conns = append(conns, conn)
	}
	client := &http.Client{Transport: &http.Transport{}}
	long := strings.Repeat("\U0001F600", 2000)
	for range posts {
		resp, err := client.Post("http://"+p.addr+"/guilds/1/messages", "application/json",
			strings.NewReader(`{"content":"`+long+`"}`))
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusCreated, resp.StatusCode)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	require.NoError(t, err)
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindStringSubmatch(string(status))
	require.NotNil(t, m)
	kilobytes, err := strconv.Atoi(m[1])
	require.NoError(t, err)
	t.Logf("%d MB at most", kilobytes>>10)
	assert.Less(t, kilobytes<<10, limit)
	client.CloseIdleConnections()
	for _, conn := range conns {
		_ = conn.Close()
	}
	p.kill(t)
}
