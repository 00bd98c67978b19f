// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package threshold

import (
	"strconv"
	"strings"
)

func subName(field string) string {
	name, _, _ := strings.Cut(field, ":")
	return strings.TrimSpace(name)
}

func hasSubKey(member, name string) bool {
	for field := range strings.SplitSeq(member, ";") {
		if subName(field) == name {
			return true
		}
	}
	return false
}

// subValue returns the value of a sub-key of OpenTelemetry's member. It returns "" if
// the sub-key is missing, or is there twice, which is forbidden.
func subValue(member, name string) string {
	found, times := "", 0
	for field := range strings.SplitSeq(member, ";") {
		if value, ok := strings.CutPrefix(field, name); ok && strings.HasPrefix(value, ":") {
			found = value[1:]
			times++
		}
	}
	if times != 1 {
		return ""
	}
	return found
}

// parseThreshold reads 1 to 14 hexadecimal digits and adds trailing zeros. One page of
// the specification has digits in upper case, and another page forbids them. So we read
// both and write lower case.
func parseThreshold(text string) (uint64, bool) {
	if text == "" || len(text) > numberDigits {
		return 0, false
	}
	n, ok := parseHex(text)
	return n << (4 * (numberDigits - len(text))), ok
}

// parseRandomness reads exactly 14 hexadecimal digits in lower case.
func parseRandomness(text string) (uint64, bool) {
	if len(text) != numberDigits || strings.ToLower(text) != text {
		return 0, false
	}
	return parseHex(text)
}

func parseHex(text string) (uint64, bool) {
	n, err := strconv.ParseUint(text, 16, 64) // With a base, it accepts neither signs nor underscores.
	return n, err == nil
}

// appendThreshold appends threshold without its trailing zeros.
func appendThreshold(dst []byte, threshold uint64) []byte {
	end := len(dst) + numberDigits
	dst = appendRandomness(dst, threshold)
	for end > len(dst)-numberDigits+1 && dst[end-1] == '0' {
		end--
	}
	return dst[:end]
}

// appendRandomness appends all digits.
func appendRandomness(dst []byte, random uint64) []byte {
	const hex = "0123456789abcdef"
	for shift := 4 * (numberDigits - 1); shift >= 0; shift -= 4 {
		dst = append(dst, hex[random>>shift&15])
	}
	return dst
}
