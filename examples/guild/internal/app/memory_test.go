// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Clients that do not take their messages leave spans of that at a bounded rate:
// memory does not follow what they refuse.
func TestRefusedDeliveriesLeaveFewSpans(t *testing.T) {
	const sessions, posts = 300, 600
	e := start(t, "-sessions", "300", "-slow", "300", "-posts", "0")
	missed := int64(0)
	for range posts {
		status, a := e.post("1", `{"content":"x"}`)
		assert.Equal(t, http.StatusCreated, status)
		missed += a.Recipients - a.Delivered
	}
	r := e.finish()
	t.Logf("%d of %d deliveries refused, %d spans", missed, sessions*posts, r.Summary.Spans)
	// Of each post some twenty spans; and of late ones two times ten
	// a second, and ten seconds' worth at once.
	assert.Less(t, r.Summary.Spans, posts*25)
}
