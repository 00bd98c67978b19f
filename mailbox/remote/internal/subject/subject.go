// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package subject makes subjects of NATS from names that may hold anything, and checks
// those that users write. Nothing here has state.
package subject

import (
	"errors"
	"fmt"
	"strings"
)

// ErrInvalid means that a name or a subject cannot be used.
var ErrInvalid = errors.New("remote: invalid subject")

// Bounds, in bytes. NATS itself has none for a token, but a line of its protocol has one
// of 4 KiB by default.
const (
	maxToken   = 255
	maxSubject = 1024
)

const upperHex = "0123456789ABCDEF"

// Token returns one token of a subject that stands for name, and for no other name. ASCII
// letters, digits, '-' and '_' stay as they are. Any other byte becomes '=' and two
// hexadecimal digits, and the empty name becomes '='. So a name can neither be a wildcard
// nor have more than one token, and the result is valid as part of a key of NATS's
// key-value store. A name whose token would be longer than 255 bytes is an error, which
// wraps [ErrInvalid].
func Token(name string) (string, error) {
	if name == "" {
		return "=", nil
	}
	extra := 0
	for i := range len(name) {
		if !plain(name[i]) {
			extra += 2
		}
	}
	if len(name)+extra > maxToken {
		return "", fmt.Errorf("%w: a name of %d bytes makes a token longer than %d", ErrInvalid, len(name), maxToken)
	}
	if extra == 0 {
		return name, nil
	}
	var b strings.Builder
	b.Grow(len(name) + extra)
	for i := range len(name) {
		if c := name[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'=', upperHex[c>>4], upperHex[c&0xf]})
		}
	}
	return b.String(), nil
}

// plain reports whether c stands for itself in a token.
func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// Check returns an error that wraps [ErrInvalid] if subject is none to publish to: if it
// is empty or too long, if a token is empty, or if it has a wildcard, a space, a control
// character or a byte that is not ASCII.
func Check(subject string) error {
	if subject == "" || len(subject) > maxSubject {
		return fmt.Errorf("%w: %d bytes, not between 1 and %d", ErrInvalid, len(subject), maxSubject)
	}
	for token := range strings.SplitSeq(subject, ".") {
		if token == "" {
			return fmt.Errorf("%w: %q has an empty token", ErrInvalid, subject)
		}
	}
	for i := range len(subject) {
		if c := subject[i]; c <= ' ' || c >= 0x7f || c == '*' || c == '>' {
			return fmt.Errorf("%w: %q has the byte %q", ErrInvalid, subject, c)
		}
	}
	return nil
}
