// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traceparent

// The functions below work on eight characters at a time, each in a byte of
// one number (see Lamport, "Multiple Byte Processing with Full-Word
// Instructions", CACM 18(8), 1975). Against a table looked up byte by byte,
// that takes a quarter off [Check], and a third off what an extraction spends
// apart from its context.

const (
	ones    = 0x0101010101010101 // Times a byte: that byte eight times.
	highs   = 0x80 * ones
	zeros   = '0' * ones
	nibbles = 0x0f * ones
)

// word returns the first eight bytes of s, the first one uppermost. The
// compiler makes one load of it.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0])<<56 | uint64(s[1])<<48 | uint64(s[2])<<40 | uint64(s[3])<<32 |
		uint64(s[4])<<24 | uint64(s[5])<<16 | uint64(s[6])<<8 | uint64(s[7])
}

// notDigits is zero if every byte of w is a lower-case hexadecimal digit. What
// it says of bytes beside one that is no ASCII may be wrong, but then it is not
// zero.
func notDigits(w uint64) uint64 {
	// Adding 0x80-c to a byte of ASCII sets its high bit if it is c or more.
	decimal := (w + (0x80-'0')*ones) &^ (w + (0x80-'9'-1)*ones)
	letter := (w + (0x80-'a')*ones) &^ (w + (0x80-'f'-1)*ones)
	return (w | ^(decimal | letter)) & highs
}

// octets returns the four bytes that eight hexadecimal digits stand for.
func octets(w uint64) uint32 {
	// Only letters have the bit for 0x40; their low half counts from 1 for a.
	v := w&nibbles + 9*(w>>6&ones)
	v = (v | v>>4) & 0x00ff00ff00ff00ff
	v = (v | v>>8) & 0x0000ffff0000ffff
	return uint32(v | v>>16) //nolint:gosec // The upper half is a remainder.
}
