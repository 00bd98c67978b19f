// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package listen_test

import (
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/cmd/waybill-viewer/internal/listen"
)

func open(t *testing.T, address string) listen.Address {
	t.Helper()
	opened, err := listen.Open(t.Context(), address)
	require.NoError(t, err)
	t.Cleanup(func() { opened.Close() })
	return opened
}

func TestLocalhostHasOnePort(t *testing.T) {
	address := open(t, "localhost:0")
	assert.True(t, strings.HasPrefix(address.String(), "127.0.0.1:"))
	assert.False(t, address.Exposed())
	ports := map[int]bool{}
	for _, listener := range address.Listeners() {
		ports[listener.Addr().(*net.TCPAddr).Port] = true
	}
	assert.Len(t, ports, 1)
	_, err := listen.Open(t.Context(), address.String())
	assert.ErrorIs(t, err, syscall.EADDRINUSE)
}

// TestHalfOfLocalhostIsNotEnough takes the port of one of its two addresses.
func TestHalfOfLocalhostIsNotEnough(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6:", err)
	}
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	require.NoError(t, err)
	_, err = listen.Open(t.Context(), "localhost:"+port)
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	open(t, "127.0.0.1:"+port) // The other half was closed again.
}

func TestExposedIsWhatOthersReach(t *testing.T) {
	for address, want := range map[string]bool{"127.0.0.1:0": false, "127.1.2.3:0": false, "0.0.0.0:0": true, ":0": true} {
		assert.Equal(t, want, open(t, address).Exposed(), address)
	}
	assert.False(t, listen.Address{}.Exposed())
	assert.Empty(t, listen.Address{}.String())
}

func TestAddressesNeedAPort(t *testing.T) {
	for _, address := range []string{"", "4317", "localhost", "127.0.0.1", "a:b:c", "::1"} {
		_, err := listen.Open(t.Context(), address)
		assert.ErrorContains(t, err, "use HOST:PORT", address)
	}
	for _, address := range []string{"localhost:x", "localhost:70000", "127.0.0.1:-1", "name.invalid:1"} {
		_, err := listen.Open(t.Context(), address)
		assert.Error(t, err, address)
	}
}

// TestConnectionsAreBounded opens as many as there may be, and two more.
func TestConnectionsAreBounded(t *testing.T) {
	address := open(t, "127.0.0.1:0")
	accepted := make(chan net.Conn)
	ended := make(chan error, 1)
	go func() {
		for {
			conn, err := address.Listeners()[0].Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- conn
		}
	}()
	var served []net.Conn
	for range listen.MaxConnections + 2 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address.String())
		require.NoError(t, err)
		defer conn.Close() //nolint:gocritic // All are open until the end of the test.
		if len(served) < listen.MaxConnections {
			served = append(served, <-accepted)
		}
	}
	select {
	case <-accepted:
		t.Fatal("more connections are served than there may be")
	default:
	}
	for range 2 {
		require.NoError(t, served[0].Close())
		served = append(served[1:], <-accepted) // The next one is served instead.
	}
	for _, conn := range served {
		require.NoError(t, conn.Close())
	}
	require.NoError(t, address.Close())
	assert.ErrorIs(t, <-ended, net.ErrClosed)
}
