// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/waybill-go/waybill/mailbox/remote/internal/subject"
)

// Bounds of what a record may say. What is beyond was not written by us.
const (
	maxRecord = 4 << 10 // bytes
	maxName   = 255     // bytes of a node's name, and of an ID
	minLease  = 10 * time.Millisecond
	maxLease  = time.Hour
	version   = 1
)

// ErrForeign means that a record was not written by this package.
var ErrForeign = errors.New("placement: not a record of ours")

// sessionRecord is what a session's record says. If it is gone, nobody has it: it was
// written so that nobody can have it any more.
type sessionRecord struct {
	Version int    `json:"v"`
	Node    string `json:"node,omitempty"`
	LeaseMS int64  `json:"lease_ms,omitempty"`
	Leaving bool   `json:"leaving,omitempty"`
	Gone    bool   `json:"gone,omitempty"`
}

func (r sessionRecord) lease() time.Duration { return time.Duration(r.LeaseMS) * time.Millisecond }

// ownerRecord is what the record of an owned process says.
type ownerRecord struct {
	Version int    `json:"v"`
	ID      string `json:"id"`
	Node    string `json:"node"`
	Session string `json:"session"`
}

func encode(record any) []byte {
	data, err := json.Marshal(record)
	if err != nil {
		panic(err) // It is made of strings and numbers.
	}
	return data
}

func decode(value []byte, record any) error {
	if len(value) > maxRecord {
		return fmt.Errorf("%w: %d bytes", ErrForeign, len(value))
	}
	if err := json.Unmarshal(value, record); err != nil {
		return fmt.Errorf("%w: %w", ErrForeign, err)
	}
	return nil
}

func decodeSession(value []byte) (r sessionRecord, err error) {
	if err := decode(value, &r); err != nil {
		return r, err
	}
	switch {
	case r.Version != version:
		return r, fmt.Errorf("%w: version %d", ErrForeign, r.Version)
	case r.Gone:
		return r, nil
	case len(r.Node) > maxName, r.LeaseMS < minLease.Milliseconds(), r.LeaseMS > maxLease.Milliseconds():
		return r, fmt.Errorf("%w: a node's name of %d bytes, a lease of %d ms", ErrForeign, len(r.Node), r.LeaseMS)
	}
	return r, nil
}

func decodeOwner(key string, value []byte) (r ownerRecord, err error) {
	if err := decode(value, &r); err != nil {
		return r, err
	}
	token, err := subject.Token(r.ID)
	switch {
	case err != nil, r.Version != version, len(r.Node) > maxName:
		return r, fmt.Errorf("%w: version %d", ErrForeign, r.Version)
	case !strings.HasSuffix(key, "."+token):
		return r, fmt.Errorf("%w: ID %q under another key", ErrForeign, r.ID)
	case !ValidSession(r.Session):
		return r, fmt.Errorf("%w: session %q", ErrForeign, r.Session)
	}
	return r, nil
}

// ValidSession reports whether s could be the ID of a session: it becomes part of keys and
// subjects.
func ValidSession(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		if c := s[i]; ('a' > c || c > 'z') && ('A' > c || c > 'Z') && ('0' > c || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// sessionOf returns the session that a key of the bucket of sessions is about.
func sessionOf(key string) (string, bool) {
	_, session, ok := strings.Cut(key, ".")
	return session, ok && ValidSession(session)
}
