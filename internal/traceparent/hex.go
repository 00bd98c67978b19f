// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traceparent

// The functions below work on eight characters at a time, each of which is a byte of
// one number (see Lamport, "Multiple Byte Processing with Full-Word Instructions", CACM
// 18(8), 1975). A table that is looked up byte by byte takes a third longer in [Check],
// and half as long again in an extraction, without the time for its context.

const (
	ones    = 0x0101010101010101 // A byte times ones is that byte eight times.
	highs   = 0x80 * ones
	zeros   = '0' * ones
	nibbles = 0x0f * ones
)

// word returns the first eight bytes of s as a number, the first byte uppermost. The
// compiler turns it into one load.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0])<<56 | uint64(s[1])<<48 | uint64(s[2])<<40 | uint64(s[3])<<32 |
		uint64(s[4])<<24 | uint64(s[5])<<16 | uint64(s[6])<<8 | uint64(s[7])
}

// notDigits returns zero if every byte of w is a lower-case hexadecimal digit, and
// another number if not. That number does not tell which bytes are wrong, if one of
// them is not ASCII.
func notDigits(w uint64) uint64 {
	// Adding 0x80-c to a byte of ASCII sets its high bit if it is c or more.
	decimal := (w + (0x80-'0')*ones) &^ (w + (0x80-'9'-1)*ones)
	letter := (w + (0x80-'a')*ones) &^ (w + (0x80-'f'-1)*ones)
	return (w | ^(decimal | letter)) & highs
}

// octets returns the four bytes that the eight hexadecimal digits in w stand for.
func octets(w uint64) uint32 {
	// Only letters have the bit 0x40. The low half of a letter is 1 for a, 2 for b, and
	// so on.
	v := w&nibbles + 9*(w>>6&ones)
	v = (v | v>>4) & 0x00ff00ff00ff00ff
	v = (v | v>>8) & 0x0000ffff0000ffff
	return uint32(v | v>>16) //nolint:gosec // The upper half is a remainder.
}
