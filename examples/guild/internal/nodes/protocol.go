// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/sampling"
)

// events is how what a guild tells its sessions travels.
func events() remote.Protocol[chat.Event] {
	return remote.Protocol[chat.Event]{Codec: remote.Variants(map[string]chat.Event{
		"message": new(chat.MessageCreate), "head": new(chat.Head),
	})}
}

// guildQuestion is what session nodes ask the guild node.
type guildQuestion interface{ question() }

// The questions, and their answers.
type (
	// Admit takes note of a session in a guild.
	Admit struct {
		Guild int64 `json:"guild"`
		Reply mailbox.Reply[Latest]
	}
	// Last asks for the number of a guild's latest message.
	Last struct {
		Guild int64 `json:"guild"`
		Reply mailbox.Reply[Latest]
	}
	// Latest is the number of a guild's latest message: of those that were fanned out, or of
	// those that are stored.
	Latest struct {
		Seq     int64 `json:"seq"`
		Unknown bool  `json:"unknown"` // There is no such guild.
	}
	// Messages asks for up to Count messages of a guild with numbers above After.
	Messages struct {
		Guild int64 `json:"guild"`
		After int64 `json:"after"`
		Count int   `json:"count"`
		Reply mailbox.Reply[[]*chat.MessageCreate]
	}
	// Heads asks for the numbers of the latest stored messages of some guilds.
	Heads struct {
		Guilds []int64 `json:"guilds"`
		Reply  mailbox.Reply[map[int64]int64]
	}
)

func (Admit) question()    {}
func (Last) question()     {}
func (Messages) question() {}
func (Heads) question()    {}

func guildProtocol() remote.Protocol[guildQuestion] {
	return remote.Protocol[guildQuestion]{
		Codec: remote.Variants(map[string]guildQuestion{
			"admit": Admit{}, "last": Last{}, "messages": Messages{}, "heads": Heads{},
		}),
		Calls: []remote.CallType[guildQuestion]{
			remote.Answered[guildQuestion](func(m *Admit) *mailbox.Reply[Latest] { return &m.Reply }, nil),
			remote.Answered[guildQuestion](func(m *Last) *mailbox.Reply[Latest] { return &m.Reply }, nil),
			remote.Answered[guildQuestion](func(m *Messages) *mailbox.Reply[[]*chat.MessageCreate] { return &m.Reply }, nil),
			remote.Answered[guildQuestion](func(m *Heads) *mailbox.Reply[map[int64]int64] { return &m.Reply }, nil),
		},
	}
}

// nodeRequest is what the guild node asks a session node, or tells it.
type nodeRequest interface{ request() }

type (
	// Connect has the node connect its clients. It answers at once; States tell how far it is.
	Connect struct {
		Clients Clients `json:"clients"`
		Reply   mailbox.Reply[bool]
	}
	// Look asks how the node is.
	Look struct{ Reply mailbox.Reply[State] }
	// Settle asks the same once nothing is on its way and all spans are exported.
	Settle struct{ Reply mailbox.Reply[State] }
	// Follow has the tracing of the node follow another configuration.
	Follow struct {
		Sampling sampling.Config `json:"sampling"`
	}
)

func (Connect) request() {}
func (Look) request()    {}
func (Settle) request()  {}
func (Follow) request()  {}

func nodeProtocol() remote.Protocol[nodeRequest] {
	return remote.Protocol[nodeRequest]{
		Codec: remote.Variants(map[string]nodeRequest{
			"connect": Connect{}, "look": Look{}, "settle": Settle{}, "follow": Follow{},
		}),
		Calls: []remote.CallType[nodeRequest]{
			remote.Answered[nodeRequest](func(m *Connect) *mailbox.Reply[bool] { return &m.Reply }, nil),
			remote.Answered[nodeRequest](func(m *Look) *mailbox.Reply[State] { return &m.Reply }, nil),
			remote.Answered[nodeRequest](func(m *Settle) *mailbox.Reply[State] { return &m.Reply }, nil),
		},
	}
}
