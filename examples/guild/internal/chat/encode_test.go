// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package chat_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
)

// All who get a message share its JSON.
func TestMessagesAreEncodedOnce(t *testing.T) {
	m := &chat.MessageCreate{Type: chat.TypeMessage, Guild: 1, ID: 7, Seq: 3, Author: "ann", Content: "x<"}
	first := chat.Encode(m)
	assert.Zero(t, testing.AllocsPerRun(100, func() { chat.Encode(m) }))
	assert.JSONEq(t, `{"type":"message","guild":1,"id":7,"seq":3,"author":"ann","content":"x<"}`, string(first))
	e, err := chat.Decode(first)
	require.NoError(t, err)
	assert.Equal(t, "x<", e.(*chat.MessageCreate).Content)
	assert.JSONEq(t, `{"type":"ready","guild":1,"last":9,"missed":2}`,
		string(chat.Encode(&chat.Ready{Type: chat.TypeReady, Guild: 1, Last: 9, Missed: 2})))
}
