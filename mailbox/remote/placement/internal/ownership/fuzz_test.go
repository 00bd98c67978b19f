// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package ownership_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox/remote/placement/internal/ownership"
)

// fixed is a bucket that holds one record of somebody else.
type fixed struct {
	*store

	key   string
	value []byte
}

func (b fixed) Get(context.Context, string) (ownership.Entry, error) {
	return ownership.Entry{Key: b.key, Value: b.value, Revision: 1}, nil
}

func (b fixed) Watch(_ context.Context, _ string, yield func(ownership.Entry) bool) error {
	yield(ownership.Entry{Key: b.key, Value: b.value, Revision: 1})
	yield(ownership.Entry{})
	return nil
}

func (fixed) Create(context.Context, string, []byte) (uint64, error) { return 0, ownership.ErrConflict }

func (fixed) Update(context.Context, string, []byte, uint64) (uint64, error) {
	return 0, ownership.ErrConflict
}

func (fixed) Delete(context.Context, string, uint64) error { return ownership.ErrConflict }

// Records that anybody may have written are ignored, or mean what ours do. They are never a
// panic, and never a session that lasts for ever or for no time.
func FuzzRecords(f *testing.F) {
	f.Add("guild.ABC", []byte(`{"v":1,"node":"n","lease_ms":10000}`))
	f.Add("guild.ABC", []byte(`{"v":1,"gone":true}`))
	f.Add("guild.42", []byte(`{"v":1,"id":"42","node":"n","session":"ABC"}`))
	f.Add("guild", []byte(`{}`))
	f.Add("other.x", []byte(`null`))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		b := fixed{newStore(), key, value}
		m := ownership.NewMember(ownership.Config{Kind: "guild", Node: "me", Lease: time.Second, Sessions: b, Owners: b})
		ctx, cancel := context.WithCancel(context.Background())
		m.Start(ctx)
		for {
			changed := m.View().Changed()
			if m.View().Ready() {
				break
			}
			<-changed
		}
		cancel()
		m.Stop()
		for _, s := range m.View().Alive() {
			require.Equal(t, "guild."+s.ID, key)
			require.GreaterOrEqual(t, s.Lease, 10*time.Millisecond)
			require.LessOrEqual(t, s.Lease, time.Hour)
		}
		owner, err := m.Lookup(context.Background(), "42")
		if err == nil {
			require.NotContains(t, owner.Session, ".")
		}
		require.NoError(t, m.Owned(context.Background(), func(id, session string) bool {
			require.NotEmpty(t, session)
			return true
		}))
	})
}
