// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package chat holds the words that the services share.
package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/waybill-go/waybill/mailbox"
)

// Event is what a session gets to know, and tells its client as JSON. It is
// shared by all sessions of a guild, who must not change it.
type Event interface{ event() }

// Values of the member "type" of an event's JSON.
const (
	TypeReady   = "ready"
	TypeMessage = "message"
)

var (
	// ErrUnknownGuild means that there is no such guild.
	ErrUnknownGuild = errors.New("unknown guild")
	// ErrBehind is why a session ended whose client does not take its messages as fast
	// as they come, or not at all. The client may come back and go on from where it
	// was.
	ErrBehind = errors.New("the client cannot keep up")
	// ErrAway is why a session of another node ended that could not reach its guild. The
	// client may come back as well.
	ErrAway = errors.New("the guild is out of reach")
)

// Ready is a client's first event: it will get all messages after number Last,
// each once and in order. Last is where the client asked to go on from; or less, if
// no message has that number yet, so that it is from another history; or more, if
// messages are no longer stored.
type Ready struct {
	Type   string `json:"type"`
	Guild  int64  `json:"guild"`
	Last   int64  `json:"last"`
	Missed int64  `json:"missed,omitempty"` // messages up to Last that the client asked for and are no longer stored
}

// MessageCreate tells of a new message. It must not be copied once encoded.
type MessageCreate struct {
	Type    string `json:"type"`
	Guild   int64  `json:"guild"`
	ID      int64  `json:"id"`
	Seq     int64  `json:"seq"` // 1 for the guild's first message, then without gaps
	Author  string `json:"author"`
	Content string `json:"content"`
	TraceID string `json:"trace_id,omitempty"` // of the post, if its trace is sampled

	once    sync.Once
	encoded []byte
}

// Joined tells a session that it is in its guild, and is sent all messages after
// number Last. Clients are not told.
type Joined struct{ Last int64 }

// Head tells a session which message was the latest one that it was sent, so that
// it learns of one that it could not take. Clients are not told.
type Head struct{ Seq int64 }

func (*Ready) event()         {}
func (*MessageCreate) event() {}
func (*Joined) event()        {}
func (*Head) event()          {}

// Encode returns the event's JSON, which nobody may change. All clients that get a
// message share it: a copy for each would be most of the memory that slow ones take.
func Encode(e Event) []byte {
	m, ok := e.(*MessageCreate)
	if !ok {
		return encode(e)
	}
	m.once.Do(func() { m.encoded = encode(m) })
	return m.encoded
}

func encode(e Event) []byte {
	data, err := json.Marshal(e)
	if err != nil {
		panic(err) // Strings and numbers have JSON.
	}
	return data
}

// Decode reads an event from its JSON.
func Decode(data []byte) (Event, error) {
	var kind struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return nil, err
	}
	var e Event
	switch kind.Type {
	case TypeReady:
		e = new(Ready)
	case TypeMessage:
		e = new(MessageCreate)
	default:
		return nil, fmt.Errorf("no event is called %q", kind.Type)
	}
	return e, json.Unmarshal(data, e)
}

// Session refers to the process of one connected client.
type Session = mailbox.Ref[Event]
