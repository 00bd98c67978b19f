// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/waybill-go/waybill/internal/rebinding"
)

// policy is the content security policy: nothing comes from elsewhere, nothing that is
// written into a page runs, and no other page shows this one inside itself.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"form-action 'none'; frame-ancestors 'none'; base-uri 'none'"

// ServeHTTP shows the console. It takes paths that begin where the console is mounted, so
// below a prefix it is wrapped in [http.StripPrefix].
//
// Over a loopback address and without TLS, the Host must be localhost, a name below it, or
// an IP address, as for a [sampling.Control]. Other requests are refused with 403.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	if rebinding.Likely(r) {
		fail(w, http.StatusForbidden, fmt.Sprintf("host %q: over a loopback address this is localhost", r.Host))
		return
	}
	switch shown := mounted(r); {
	case shown == nil: // The page needs the slash at its end, because all that it asks for is relative to it.
		redirectBelow(w, r)
	case !isClean(shown.URL.Path):
		nothingHere(w, r) // The mux would redirect it to a path that lacks the prefix.
	default:
		c.routes.ServeHTTP(w, shown)
	}
}

// mounted returns r with a path that begins with a slash, or nil if r asks for the place
// where the console is mounted without a slash at its end.
func mounted(r *http.Request) *http.Request {
	if strings.HasPrefix(r.URL.Path, "/") {
		return r
	}
	if r.URL.Path == "" && !strings.HasSuffix(originalPath(r), "/") {
		return nil
	}
	// The prefix that was stripped ended with a slash.
	u := *r.URL
	u.Path = "/" + u.Path
	u.RawPath = ""
	shown := *r
	shown.URL = &u
	return &shown
}

// isClean reports whether a path has no empty parts, no "." and no "..".
func isClean(p string) bool {
	return !strings.Contains(p, "//") && (p == "/" || path.Clean(p) == strings.TrimSuffix(p, "/"))
}

// originalPath returns the path that the client asked for, escaped, before a prefix was
// stripped from it.
func originalPath(r *http.Request) string {
	asked, _, _ := strings.Cut(r.RequestURI, "?")
	return asked
}

// redirectBelow redirects from /a/b to /a/b/. The location is relative, because nobody
// knows here what proxies have stripped.
func redirectBelow(w http.ResponseWriter, r *http.Request) {
	asked := originalPath(r)
	location := "./" + asked[strings.LastIndexByte(asked, '/')+1:] + "/"
	if r.URL.RawQuery != "" {
		location += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusMovedPermanently)
}

// nothingHere tells people what is most likely wrong: a console that is mounted without
// [http.StripPrefix] gets the whole path.
func nothingHere(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		fail(w, http.StatusNotFound, "there is nothing of this name")
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8") // and nosniff: so no browser reads it as HTML
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprintf(w, "The console of waybill has nothing at %q.\n", r.URL.Path) //nolint:gosec // It is plain text.
	if prefix := strings.TrimRight(r.URL.Path, "/"); prefix != "" && !strings.HasPrefix(prefix, "/assets/") {
		fmt.Fprintf(w, "\nIf this is where it is mounted, the prefix has to be stripped from the path:\n\n"+ //nolint:gosec // It is plain text.
			"\tmux.Handle(%q, http.StripPrefix(%q, console))\n", prefix+"/", prefix)
	}
}
