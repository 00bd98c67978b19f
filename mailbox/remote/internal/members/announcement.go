// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package members

import (
	"encoding/json"

	"github.com/waybill-go/waybill/internal/fanout"
)

// Bounds, in bytes.
const (
	// MaxAnnouncement is how long an announcement may be.
	MaxAnnouncement = 1 << 10

	maxToken = 255
)

// announcement is what a node says of itself.
type announcement struct {
	Node    string `json:"node"`
	Session uint64 `json:"session"`
	Number  uint64 `json:"number"`
	Members int    `json:"members"`
	Ask     bool   `json:"ask,omitempty"`   // All others are to announce themselves.
	Leave   bool   `json:"leave,omitempty"` // The node is gone.
}

func (a announcement) encode() []byte {
	data, _ := json.Marshal(a) //nolint:errchkjson // Strings, numbers and booleans can be written.
	return data
}

// decode reads an announcement. ok is false if it makes no sense.
func decode(data []byte) (a announcement, ok bool) {
	if len(data) > MaxAnnouncement || json.Unmarshal(data, &a) != nil {
		return announcement{}, false
	}
	return a, isToken(a.Node) && a.Session > 0 && a.Number > 0 && a.Members >= 0 && a.Members <= fanout.MaxSize
}

// isToken reports whether s is what package subject makes of a name.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' && c != '=' {
			return false
		}
	}
	return s != "" && len(s) <= maxToken
}
