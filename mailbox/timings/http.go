// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package timings

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/waybill-go/waybill/internal/rebinding"
)

// ServeHTTP shows what is kept, as JSON or as a table of text. It changes nothing.
//
// Without parameters it shows what [Store.Top] returns for the zero [Query]. These
// parameters ask for something else:
//
//   - kind, minutes and limit are the fields of a Query. last is a time in RFC 3339.
//   - by is share, longest, wait or name.
//   - id, together with kind, shows the minutes of that process ([Store.Process]). It goes
//     with no other parameter but format.
//   - show=kinds shows the sums of kinds ([Store.Kinds]) and the [Usage] of the store.
//   - format is json or text. Without it, a request whose Accept header has text/plain, and
//     not application/json, gets text.
//
// A request that makes no sense is refused with status 400 and the reason, and one that is
// neither GET nor HEAD with 405. In JSON, times that end in _ns are nanoseconds. In text,
// an ID with control characters or spaces is quoted as in Go, and ~ stands before estimates.
//
// IDs of processes may be IDs of users. So serve it on a listener that only operators can
// reach. Over a loopback address and without TLS, the Host must be localhost, a name below
// it, or an IP address, as for a [sampling.Control]; other requests are refused with 403.
//
// [sampling.Control]: https://pkg.go.dev/github.com/waybill-go/waybill/sampling#Control
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rebinding.Likely(r) {
		http.Error(w, fmt.Sprintf("host %q: over a loopback address this is localhost", r.Host), http.StatusForbidden)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "GET shows the timings", http.StatusMethodNotAllowed)
		return
	}
	asked, err := readRequest(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Vary", "Accept")
	shown := s.shown(&asked)
	if asked.text {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		var text strings.Builder
		shown.writeText(&text)
		_, _ = io.WriteString(w, text.String()) // The client may have gone.
		return
	}
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(shown) // The client may have gone.
}

// document is what is shown, in JSON as it is.
type document interface {
	writeText(to *strings.Builder)
}

// topDocument, processDocument and kindsDocument are what ServeHTTP shows.
type (
	topDocument struct {
		Top

		by string
	}
	processDocument struct {
		Kind    string   `json:"kind"`
		ID      string   `json:"id"`
		Minutes []Minute `json:"minutes"`
	}
	kindsDocument struct {
		Kinds

		Usage Usage `json:"usage"`
	}
)

func (s *Store) shown(asked *request) document {
	switch {
	case asked.process:
		return processDocument{asked.query.Kind, asked.id, s.Process(asked.query.Kind, asked.id)}
	case asked.kinds:
		return kindsDocument{s.Kinds(asked.query), s.Usage()}
	default:
		return topDocument{s.Top(asked.query), orderNames[asked.query.By]}
	}
}
