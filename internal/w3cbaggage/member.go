// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package w3cbaggage

import (
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/baggage"
)

// cutMember finds the key and the value of a member, and reports whether they are
// well-formed. It does not look at the properties.
func cutMember(text string) (key, value string, ok bool) {
	pair, _, _ := strings.Cut(text, ";")
	key, value, ok = strings.Cut(pair, "=")
	key, value = trimOWS(key), trimOWS(value)
	return key, value, ok && isToken(key) && isEscaped(value)
}

// newMember makes a member from what [cutMember] has found. Package baggage parses the
// properties itself, because then it keeps them as they are.
func newMember(text, key, value string) (baggage.Member, bool) {
	if strings.Contains(text, ";") {
		b, err := baggage.Parse(text)
		return b.Member(key), err == nil
	}
	m, err := baggage.NewMemberRaw(key, unescape(value))
	return m, err == nil
}

// trimOWS removes optional white space, which is only spaces and tabs.
func trimOWS(s string) string { return strings.Trim(s, " \t") }

// isToken reports whether s is a token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// isOctet reports whether c may stand in a value. That is visible ASCII without the
// characters that separate or quote.
func isOctet(c byte) bool {
	return c > ' ' && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\'
}

// isEscaped reports whether s is a value, and whether two hexadecimal digits follow
// each percent sign.
func isEscaped(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isOctet(s[i]) {
			return false
		}
		if s[i] == '%' {
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				return false
			}
			i += 2
		}
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

// unescape decodes a value that [isEscaped] has accepted.
func unescape(s string) string {
	at := strings.IndexByte(s, '%')
	if at < 0 {
		return s
	}
	decoded := make([]byte, at, len(s))
	copy(decoded, s)
	for i := at; i < len(s); i++ {
		if s[i] != '%' {
			decoded = append(decoded, s[i])
			continue
		}
		decoded = append(decoded, nibble(s[i+1])<<4|nibble(s[i+2]))
		i += 2
	}
	if utf8.Valid(decoded) {
		return string(decoded)
	}
	return string([]rune(string(decoded))) // Each byte that is not UTF-8 becomes U+FFFD.
}

// nibble returns what a hexadecimal digit stands for.
func nibble(c byte) byte { return c&0xf + 9*(c>>6) }

// needsEscape reports whether c must be percent-encoded in a value.
func needsEscape(c byte) bool { return c == '%' || !isOctet(c) }

// growth returns by how many bytes m is longer when it is written than when it was read
// as escaped. Only a value that is not UTF-8 becomes longer.
func growth(m baggage.Member, escaped string) int {
	if !strings.Contains(escaped, "%") {
		return 0
	}
	size := 0
	for value, i := m.Value(), 0; i < len(value); i++ {
		size++
		if needsEscape(value[i]) {
			size += 2
		}
	}
	return max(size-len(escaped), 0)
}

// appendMember appends a member whose key is a token.
func appendMember(header []byte, m baggage.Member) []byte {
	if len(m.Properties()) > 0 {
		// Properties whose key is no token are left out, perhaps all of them.
		return append(header, strings.TrimSuffix(m.String(), ";")...)
	}
	header = append(append(header, m.Key()...), '=')
	for value, i := m.Value(), 0; i < len(value); i++ {
		const digits = "0123456789ABCDEF"
		if c := value[i]; needsEscape(c) {
			header = append(header, '%', digits[c>>4], digits[c&0xf])
		} else {
			header = append(header, c)
		}
	}
	return header
}
