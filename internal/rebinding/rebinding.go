// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package rebinding finds requests of pages whose name was made to resolve to this
// machine, so that they are of the same origin as what is served here (DNS rebinding).
package rebinding

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Likely reports whether r may be of a page whose name was made to resolve to this
// machine: it came over a loopback address, and is for a host that has no business
// there. With TLS the server has shown a certificate for its name, which is not the
// page's. A Host that is empty or an IP address is not a name that resolves.
func Likely(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok || r.TLS != nil {
		return false
	}
	address, isAddress := hostAddress(local.String())
	if !isAddress || !address.IsLoopback() {
		return false
	}
	if _, isAddress = hostAddress(r.Host); isAddress || r.Host == "" {
		return false
	}
	name := strings.ToLower(strings.TrimSuffix(hostOnly(r.Host), "."))
	return name != "localhost" && !strings.HasSuffix(name, ".localhost") // RFC 6761, section 6.3
}

// hostOnly returns host without its port, if it has one.
func hostOnly(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

// hostAddress returns the IP address that host is, with or without a port. It
// reports false if it is a name.
func hostAddress(host string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(strings.Trim(hostOnly(host), "[]"))
	return address.Unmap(), err == nil
}
