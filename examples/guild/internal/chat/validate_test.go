// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package chat_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
)

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		author, content string
		want            error
	}{
		{"ann", "hello", nil},
		{strings.Repeat("é", chat.MaxAuthor), strings.Repeat("é", chat.MaxContent), nil},
		{"ann", "", chat.ErrNoContent},
		{"ann", " \n", chat.ErrNoContent},
		{"", "hello", chat.ErrNoAuthor},
		{"\t", "hello", chat.ErrNoAuthor},
		{"ann", strings.Repeat("é", chat.MaxContent+1), chat.ErrLongContent},
		{strings.Repeat("é", chat.MaxAuthor+1), "hello", chat.ErrLongAuthor},
		{"ann", "\xff", chat.ErrNotUTF8},
		{"\xff", "hello", chat.ErrNotUTF8},
	} {
		assert.ErrorIs(t, chat.Validate(test.author, test.content), test.want, "%.20q: %.20q", test.author, test.content)
	}
}

// No message that is let in makes an event that cuts off a client which reads by
// default.
func TestEventsFitIntoWhatClientsRead(t *testing.T) {
	const readByDefault = 32 << 10
	author, content := strings.Repeat("\x01", chat.MaxAuthor), strings.Repeat("\x01", chat.MaxContent) // \u0001
	require.NoError(t, chat.Validate(author, content))
	event, err := json.Marshal(chat.MessageCreate{
		Type: chat.TypeMessage, Author: author, Content: content, TraceID: strings.Repeat("f", 32),
	})
	require.NoError(t, err)
	assert.Greater(t, len(event), 6*chat.MaxContent, "this is the longest spelling")
	assert.Less(t, len(event), readByDefault)
}
