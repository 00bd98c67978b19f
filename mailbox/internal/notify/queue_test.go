// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package notify_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/mailbox/internal/notify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestItemsComeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []int
		q := notify.New(func(i int) { got = append(got, i) })
		var want []int
		for i := range 3000 {
			if i%1000 == 0 {
				synctest.Wait()
			}
			require.True(t, q.Put(i))
			want = append(want, i)
		}
		require.NoError(t, q.Wait(t.Context()))
		assert.Equal(t, want, got)
	})
}

func TestWhoBlocksHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var mu sync.Mutex
		told := 0
		q := notify.New(func(int) {
			<-release
			mu.Lock()
			defer mu.Unlock()
			told++
		})
		require.True(t, q.Put(0))
		synctest.Wait()
		taken := 1
		for range 10_000 {
			if q.Put(0) {
				taken++
			}
		}
		assert.Equal(t, 1+1024, taken, "the one being told, and those that wait")
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		require.ErrorIs(t, q.Wait(ctx), context.DeadlineExceeded)
		close(release)
		require.NoError(t, q.Wait(t.Context()))
		assert.Equal(t, taken, told)
		require.NoError(t, q.Wait(t.Context()), "there is nothing to wait for")
	})
}

func TestWhoPanicsOrExitsIsToldTheNextItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []int
		q := notify.New(func(i int) {
			got = append(got, i)
			switch i % 3 {
			case 0:
				panic("not to be told")
			case 1:
				runtime.Goexit()
			}
		})
		for i := range 9 {
			require.True(t, q.Put(i))
			synctest.Wait()
		}
		assert.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8}, got)
		for i := range 9 {
			require.True(t, q.Put(i))
		}
		require.NoError(t, q.Wait(t.Context()))
		assert.Len(t, got, 18, "nor do those that wait with it get lost")
	})
}
