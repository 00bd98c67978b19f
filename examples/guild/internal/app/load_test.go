// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/guild/internal/app"
)

// TestAnyNumberOfPosts sends more posts than a mailbox holds to sessions that
// take much longer for one than the API: the load keeps to what they can take.
func TestAnyNumberOfPosts(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as the slow sessions: 300 times 20 ms")
	}
	var out, errOut bytes.Buffer
	code := app.Main(t.Context(),
		[]string{"-once", "-sessions", "15", "-slow", "3", "-posts", "300"}, &out, &errOut)
	require.Zero(t, code, errOut.String())
	assert.Contains(t, out.String(), "sessions: 15 connected, 4515 messages accepted, 4515 handled, 0 refused, 0 dead letters")
}
