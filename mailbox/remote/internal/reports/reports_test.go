// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package reports_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/waybill-go/waybill/mailbox/remote/internal/reports"
)

// told is one call of write.
type told struct {
	after time.Duration
	count uint64
	first bool
}

// The first is told at once, and the rest once a second, with nothing left out.
func TestToldOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r reports.Report
		var all []told
		began := time.Now()
		write := func(count uint64, first bool) { all = append(all, told{time.Since(began), count, first}) }
		for range 25 {
			r.Tell(2, write)
			synctest.Wait()
			time.Sleep(110 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		r.Tell(1, write)
		synctest.Wait()
		assert.Equal(t, []told{
			{0, 2, true}, {time.Second, 18, false}, {2 * time.Second, 18, false}, {3 * time.Second, 12, false},
			{time.Minute + 2750*time.Millisecond, 1, true},
		}, all)
		time.Sleep(time.Minute)
	})
}

// Whoever panics or ends the goroutine is told the next time.
func TestBrokenWriters(t *testing.T) {
	for name, broken := range map[string]func(){"panics": func() { panic("no disk") }, "exits": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var r reports.Report
				calls := 0
				r.Tell(1, func(uint64, bool) {
					calls++
					broken()
				})
				synctest.Wait()
				time.Sleep(2 * time.Second)
				r.Tell(1, func(uint64, bool) { calls++ })
				synctest.Wait()
				assert.Equal(t, 2, calls)
				time.Sleep(2 * time.Second)
			})
		})
	}
}

// Who blocks holds nobody up, and is told of what came meanwhile.
func TestBlockedWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r reports.Report
		release := make(chan struct{})
		var counts []uint64
		for range 5 {
			r.Tell(1, func(count uint64, _ bool) {
				<-release
				counts = append(counts, count)
			})
			time.Sleep(time.Minute)
		}
		close(release)
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, []uint64{1, 4}, counts)
	})
}
