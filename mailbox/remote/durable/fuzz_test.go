// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/mailbox/remote/durable"
)

// Whatever is delivered, it is a message or a dead letter, and never a panic.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"N":1}`), "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Add([]byte(nil), "Status", "408")
	f.Add([]byte(`{"N":"x"}`), "baggage", "a=1,b")
	f.Add([]byte(`[[[[`), "Nats-Rollup", "all")
	f.Fuzz(func(t *testing.T, data []byte, key, value string) {
		c := config()
		c.MaxMessage = 64
		message, h, reason, err := durable.Read(c, &nats.Msg{Data: data, Header: nats.Header{key: {value}}})
		var want order
		bad := json.Unmarshal(data, &want)
		switch {
		case len(data) > c.MaxMessage:
			require.Equal(t, "oversized", reason)
			require.ErrorIs(t, err, durable.ErrOversized)
		case bad != nil:
			require.Equal(t, "undecodable", reason)
			require.ErrorIs(t, err, wire.ErrCodec)
		default:
			require.NoError(t, err)
			require.Empty(t, reason)
			require.Equal(t, want, message)
		}
		require.LessOrEqual(t, h.Hops(), 1)
		for kept := range durable.Others(nats.Header{key: {value}}) {
			require.NotRegexp(t, "(?i)^(nats-|waybill-dead-)", kept)
		}
		short := durable.Cut(value, 10)
		require.LessOrEqual(t, len(short), 10)
		require.True(t, utf8.ValidString(short))
	})
}

// Whatever is in the key-value store, it is a note or an error.
func FuzzReadPast(f *testing.F) {
	f.Add([]byte(`{"stored":1,"returned":2,"failed":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}`))
	f.Add([]byte(`{"failed":"00-`))
	f.Add([]byte(`{"returned":-1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, linked, err := durable.ReadPast(data)
		require.False(t, err != nil && linked)
		require.False(t, linked && !strings.Contains(string(data), "00"))
	})
}

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		filter, subject string
		want            bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"a.b", "a", false}, {"a", "a.b", false}, {"*", "a", true}, {"*", "a.b", false},
		{"a.*.c", "a.b.c", true}, {"a.*.c", "a.b.d", false}, {">", "a.b", true}, {"a.>", "a", false}, {"a.>", "a.b.c", true},
		{"a.*.>", "a.b", false}, {"a.*.>", "a.b.c", true},
	} {
		assert.Equal(t, tt.want, durable.Matches(tt.filter, tt.subject), "%s %s", tt.filter, tt.subject)
	}
}
