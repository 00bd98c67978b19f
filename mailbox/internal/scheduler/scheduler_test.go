// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package scheduler_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/internal/clock"
	"github.com/waybill-go/waybill/mailbox/internal/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// task runs a function for each turn.
type task struct{ turn func() bool }

func (t *task) Turn(*scheduler.Chance) bool { return t.turn() }

// awaitEnd waits for wg, or fails the test.
func awaitEnd(t *testing.T, wg *sync.WaitGroup) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		require.Fail(t, "not all have run")
	}
}

// Each is run until it says that it has enough, one by one or many at once.
func TestEachHasItsTurns(t *testing.T) {
	const tasks, turns = 1000, 3
	for name, scheduleAll := range map[string]func(*scheduler.Scheduler, []*task){
		"one by one": func(s *scheduler.Scheduler, list []*task) {
			for _, one := range list {
				s.Schedule(one)
			}
		},
		"together": func(s *scheduler.Scheduler, list []*task) {
			var w scheduler.Wakeup
			for _, one := range list {
				w.Add(s, one)
			}
			w.Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := scheduler.New(false)
			defer s.Close()
			var running sync.WaitGroup
			running.Add(tasks)
			counts := make([]int, tasks) // Of each task, by one goroutine at a time: the race detector sees.
			list := make([]*task, tasks)
			for i := range list {
				list[i] = &task{func() bool {
					if counts[i]++; counts[i] < turns {
						return true
					}
					running.Done()
					return false
				}}
			}
			scheduleAll(s, list)
			awaitEnd(t, &running)
			for _, n := range counts {
				require.Equal(t, turns, n)
			}
			waiting, _ := s.Waiting()
			assert.Zero(t, waiting)
		})
	}
}

// What ends its goroutine is run again, and so are the others.
func TestWhatEndsItsGoroutineIsRunAgain(t *testing.T) {
	s := scheduler.New(false)
	defer s.Close()
	var running sync.WaitGroup
	var exits atomic.Int32
	for range 100 {
		running.Add(1)
		turns := 0
		s.Schedule(&task{func() bool {
			if turns++; turns == 1 {
				exits.Add(1)
				runtime.Goexit()
			}
			running.Done()
			return false
		}})
	}
	awaitEnd(t, &running)
	assert.EqualValues(t, 100, exits.Load())
}

func TestClockGoesOnAndNeverShowsNought(t *testing.T) {
	s := scheduler.New(true)
	defer s.Close()
	before := clock.Now()
	for range 1000 { // Some of them are coarse.
		require.NotZero(t, s.Now())
	}
	assert.Eventually(t, func() bool { return s.Now() > before }, time.Minute, time.Millisecond)
}
