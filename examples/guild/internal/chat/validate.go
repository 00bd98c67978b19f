// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package chat

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bounds of a message, in characters. They keep every event far below what a
// WebSocket client reads of one by default, which is 32 KiB.
const (
	MaxContent = 2000
	MaxAuthor  = 80
)

// What is wrong with a message, by [errors.Is].
var (
	ErrNoContent   = errors.New("the post has no content")
	ErrNoAuthor    = errors.New("the post has no author")
	ErrLongContent = fmt.Errorf("the content has more than %d characters", MaxContent)
	ErrLongAuthor  = fmt.Errorf("the author has more than %d characters", MaxAuthor)
	ErrNotUTF8     = errors.New("the post is not UTF-8")
)

// Validate says what is wrong with a message, or returns nil. Every door that
// messages come in by asks it, so that behind the doors none is wrong.
func Validate(author, content string) error {
	switch {
	case !utf8.ValidString(author) || !utf8.ValidString(content):
		return ErrNotUTF8
	case strings.TrimSpace(content) == "":
		return ErrNoContent
	case strings.TrimSpace(author) == "":
		return ErrNoAuthor
	case utf8.RuneCountInString(content) > MaxContent:
		return ErrLongContent
	case utf8.RuneCountInString(author) > MaxAuthor:
		return ErrLongAuthor
	}
	return nil
}
