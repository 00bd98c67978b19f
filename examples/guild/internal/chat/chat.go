// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package chat holds the words that the services share.
package chat

import "github.com/waybill-go/waybill/mailbox"

// MessageCreate tells a session of a new message in its guild. It is shared by
// all sessions of the guild, who must not change it.
type MessageCreate struct {
	Guild   int64  `json:"guild"`
	ID      int64  `json:"id"`
	Seq     int64  `json:"seq"` // 1 for the guild's first message, then without gaps
	Author  string `json:"author"`
	Content string `json:"content"`
	TraceID string `json:"trace_id,omitempty"` // of the post, if its trace is sampled
}

// Session refers to the process of one connected client.
type Session = mailbox.Ref[*MessageCreate]
