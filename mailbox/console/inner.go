// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bytes"
	"net/http"
	"strings"
)

// inner keeps what another handler answers, so that its errors get the form that all
// errors of the API have.
type inner struct {
	header http.Header
	status int
	body   bytes.Buffer
}

var _ http.ResponseWriter = (*inner)(nil)

func (i *inner) Header() http.Header { return i.header }

func (i *inner) WriteHeader(status int) {
	if i.status == 0 {
		i.status = status
	}
}

func (i *inner) Write(p []byte) (int, error) {
	i.WriteHeader(http.StatusOK)
	return i.body.Write(p)
}

func newInner() *inner { return &inner{header: http.Header{}} }

// relay has h answer r.
func relay(w http.ResponseWriter, r *http.Request, h http.Handler) {
	from := newInner()
	h.ServeHTTP(from, r)
	from.relay(w)
}

// relay answers what i has kept, and reports whether that is no error.
func (i *inner) relay(w http.ResponseWriter) bool {
	i.WriteHeader(http.StatusOK)
	if i.status >= http.StatusBadRequest {
		fail(w, i.status, strings.TrimSpace(i.body.String()))
		return false
	}
	for _, name := range []string{"Content-Type", "ETag"} {
		if value := i.header.Get(name); value != "" {
			w.Header().Set(name, value)
		}
	}
	w.WriteHeader(i.status)
	_, _ = w.Write(i.body.Bytes()) // The client may have gone.
	return true
}
