// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package subject_test

import (
	"encoding/hex"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/mailbox/remote/internal/subject"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestToken(t *testing.T) {
	for name, want := range map[string]string{
		"":            "=",
		"42":          "42",
		"Guild-1_b":   "Guild-1_b",
		"a.b":         "a=2Eb",
		"*":           "=2A",
		">":           "=3E",
		"=":           "=3D",
		"a b\r\nPING": "a=20b=0D=0APING",
		"ü":           "=C3=BC",
	} {
		token, err := subject.Token(name)
		require.NoError(t, err, name)
		assert.Equal(t, want, token)
	}
	_, err := subject.Token(strings.Repeat("a", 256))
	require.ErrorIs(t, err, subject.ErrInvalid)
	_, err = subject.Token(strings.Repeat(".", 86))
	require.ErrorIs(t, err, subject.ErrInvalid)
}

// validToken is what both subjects and keys of the key-value store may hold.
var validToken = regexp.MustCompile(`^[-_=a-zA-Z0-9]+$`)

// A token is always valid, and tells which name it stands for.
func FuzzToken(f *testing.F) {
	f.Add("")
	f.Add("a.b=*>")
	f.Add("\x00\xff =")
	f.Fuzz(func(t *testing.T, name string) {
		token, err := subject.Token(name)
		if err != nil {
			assert.Greater(t, 3*len(name), 255)
			return
		}
		require.Regexp(t, validToken, token)
		require.NoError(t, subject.Check("waybill."+token))
		assert.Equal(t, name, nameOf(t, token))
	})
}

// nameOf reads a token back.
func nameOf(t *testing.T, token string) string {
	t.Helper()
	if token == "=" {
		return ""
	}
	parts := strings.Split(token, "=")
	name := parts[0]
	for _, part := range parts[1:] {
		c, err := hex.DecodeString(part[:2])
		require.NoError(t, err)
		name += string(c) + part[2:]
	}
	return name
}

func TestCheck(t *testing.T) {
	for _, s := range []string{"a", "guild.42", "a.b.c-d_e.$f", strings.Repeat("a", 1024)} {
		require.NoError(t, subject.Check(s), s)
	}
	for _, s := range []string{
		"", ".", "a.", ".a", "a..b", "a.*", "a.>", ">", "a b", "a\tb", "a\r\nPUB b 0", "a\x00", "\x7f", "ü",
		strings.Repeat("a", 1025),
	} {
		require.ErrorIs(t, subject.Check(s), subject.ErrInvalid, s)
	}
}
