// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A page whose own name resolves to this machine is of the same origin for its
// browser. Its Host gives it away.
func TestReboundHostsAreRefused(t *testing.T) {
	c := newControl(t)
	server := httptest.NewServer(c)
	defer server.Close()
	defer server.Client().CloseIdleConnections()
	ask := func(method, host string) int {
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL, strings.NewReader(spansOff))
		require.NoError(t, err)
		r.Host = host
		if host != "" && method == http.MethodPut {
			r.Header.Set("Origin", "http://"+host)
		}
		response, err := server.Client().Do(r)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	for _, host := range []string{"evil.example", "evil.example:" + port, "localhost.evil.example", "evillocalhost", "127.0.0.1.evil.example"} {
		assert.Equal(t, http.StatusForbidden, ask(http.MethodPut, host), host)
		assert.Equal(t, http.StatusForbidden, ask(http.MethodGet, host), host)
		assert.False(t, c.Config().Default.NoSpans, host)
	}
	for _, host := range []string{"", "localhost", "LocalHost:" + port, "localhost.", "ops.localhost:80", "127.0.0.1", "[::1]:" + port, "[::1]", "10.0.0.7:80"} {
		assert.Equal(t, http.StatusOK, ask(http.MethodPut, host), host)
	}
}

func TestHostsOfOtherAddressesAreNotKnown(t *testing.T) {
	for _, test := range []struct {
		name  string
		local net.Addr
		tls   bool
		want  int
	}{
		{"loopback", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 5), Port: 80}, false, http.StatusForbidden},
		{"IPv6 loopback", &net.TCPAddr{IP: net.IPv6loopback, Port: 80}, false, http.StatusForbidden},
		{"loopback, mapped", &net.TCPAddr{IP: net.ParseIP("::ffff:127.0.0.1"), Port: 80}, false, http.StatusForbidden},
		{"with a certificate for the name", &net.TCPAddr{IP: net.IPv6loopback, Port: 443}, true, http.StatusOK},
		{"another address", &net.TCPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 80}, false, http.StatusOK},
		{"with a zone", &net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 80}, false, http.StatusOK},
		{"a socket of Unix", &net.UnixAddr{Name: "/run/ops", Net: "unix"}, false, http.StatusOK},
		{"nobody knows", nil, false, http.StatusOK},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPut, "http://ops.example/", strings.NewReader(spansOff))
			if test.local != nil {
				r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, test.local))
			}
			if test.tls {
				r.TLS = &tls.ConnectionState{}
			}
			w := httptest.NewRecorder()
			newControl(t).ServeHTTP(w, r)
			assert.Equal(t, test.want, w.Code, w.Body)
		})
	}
}
