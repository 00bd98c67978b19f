// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"strings"
	"unicode/utf8"
)

// cut returns s with at most n bytes, and an ellipsis if it had more. It is valid UTF-8.
func cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
