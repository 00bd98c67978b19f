// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package ownership_test

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox/remote/placement/internal/ownership"
)

// deaf is a store whose first watch shows nothing more from some time on, and does not end: as
// that of a server that was killed, and has come back without it.
type deaf struct {
	bucket

	watches atomic.Int64
	silent  atomic.Bool
}

func (d *deaf) Watch(ctx context.Context, keys string, yield func(ownership.Entry) bool) error {
	first := d.watches.Add(1) == 1
	return d.bucket.Watch(ctx, keys, func(e ownership.Entry) bool {
		return first && d.silent.Load() || yield(e)
	})
}

// A node that only watches finds out that its watch shows nothing any more, from sessions that
// are silent although nobody has removed them, and begins it again. Otherwise it would believe
// that they live for as long as the client of NATS takes to find out.
func TestWatcherIsDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		sessions, owners := newStore(), newStore()
		member := func(offers bool, wrap func(bucket) ownership.Bucket) *ownership.Member {
			n := &network{random: rand.New(rand.NewPCG(1, 2)), delay: 10 * time.Millisecond}
			m := ownership.NewMember(ownership.Config{
				Kind: "guild", Node: "node", Offers: offers, Lease: modelLease, Now: n.now,
				Sessions: wrap(bucket{sessions, n}), Owners: bucket{owners, n},
			})
			m.Start(ctx)
			return m
		}
		plain := func(b bucket) ownership.Bucket { return b }
		leaving := member(true, plain)
		var hears *deaf
		watcher := member(false, func(b bucket) ownership.Bucket {
			hears = &deaf{bucket: b}
			return hears
		})
		time.Sleep(modelLease)
		gone := leaving.Session()
		require.NotNil(t, gone)
		require.Len(t, watcher.View().Alive(), 1)

		hears.silent.Store(true)
		require.NoError(t, leaving.Leave(ctx, gone))
		leaving.Stop()
		coming := member(true, plain)
		time.Sleep(modelLease)
		require.Len(t, watcher.View().Alive(), 1)
		assert.Equal(t, gone.ID, watcher.View().Alive()[0].ID, "it cannot know yet")

		time.Sleep(3 * modelLease)
		require.Len(t, watcher.View().Alive(), 1)
		assert.Equal(t, coming.Session().ID, watcher.View().Alive()[0].ID)
		assert.EqualValues(t, 2, hears.watches.Load())
		coming.Stop()
		watcher.Stop()
	})
}
