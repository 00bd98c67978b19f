// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package edge is what stands between strangers and the services that they reach
// by HTTP.
package edge

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// Protect returns a handler that lets a request through to h if it is for us, and
// no page of another origin made a browser send it. It tells browsers to do
// nothing with the answer but what our page needs.
//
// A request is for us if its host is an IP address, localhost, or one of names.
// Any other name may be that of a stranger's page, who has it resolve to our
// address now, so that a browser takes us for a part of that page (DNS
// rebinding). An address cannot be anybody else's.
func Protect(h http.Handler, names ...string) http.Handler {
	ours := map[string]bool{"localhost": true}
	for _, name := range names {
		ours[canonical(name)] = true
	}
	sameOrigin := http.NewCrossOriginProtection().Handler(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		instruct(w.Header(), "")
		if !isOurs(r.Host, ours) {
			http.Error(w, "there is no such host here", http.StatusMisdirectedRequest)
			return
		}
		instruct(w.Header(), r.Host)
		sameOrigin.ServeHTTP(w, r)
	})
}

func isOurs(host string, names map[string]bool) bool {
	if h, port, err := net.SplitHostPort(host); err == nil {
		if _, err = strconv.ParseUint(port, 10, 16); err != nil {
			return false
		}
		host = h
	}
	bare, _ := strings.CutPrefix(host, "[")
	_, err := netip.ParseAddr(strings.TrimSuffix(bare, "]"))
	return err == nil || host != "" && names[canonical(host)]
}

// canonical returns the spelling of a host name that others are compared in.
func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// instruct tells browsers what the answer may be used for. The page has its
// script and style in files of its own, and talks to the host that it came from.
func instruct(h http.Header, host string) {
	connect := "'self'"
	if host != "" && !strings.HasPrefix(host, "[") { // The grammar has no IPv6 addresses.
		connect += " ws://" + host + " wss://" + host // Which 'self' does not cover everywhere.
	}
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "+
		"connect-src "+connect+"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY") // What frame-ancestors says, for old browsers.
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}
