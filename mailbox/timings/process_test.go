// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package timings_test

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/timings"
	"github.com/waybill-go/waybill/sampling"
)

// countOf returns how many messages of a process are known.
func countOf(store *timings.Store, kind, id string) (count uint64) {
	for _, m := range store.Process(kind, id) {
		count += m.All.Count
	}
	return count
}

// Nothing is timed unless the control says so, and it can say so at any time.
func TestOnAndOffWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys, store, control := timed(t, 0)
		guild, session := spawn(t, newKind(t, sys, "guild"), "1"), spawn(t, newKind(t, sys, "session"), "1")
		step := func(config sampling.Config) (guilds, sessions uint64) {
			require.NoError(t, control.Set(config))
			before := [2]uint64{countOf(store, "guild", "1"), countOf(store, "session", "1")}
			send(t, guild, create{time.Second}, create{time.Second})
			send(t, session, create{time.Second})
			time.Sleep(5 * second)
			return countOf(store, "guild", "1") - before[0], countOf(store, "session", "1") - before[1]
		}
		for _, test := range []struct {
			config           sampling.Config
			guilds, sessions uint64
		}{
			{sampling.Config{}, 0, 0},
			{configOf(1), 2, 1},
			{sampling.Config{}, 0, 0},
			{sampling.Config{Kinds: map[string]sampling.KindConfig{"guild": {TimeOneIn: 1}}}, 2, 0},
			{sampling.Config{Default: sampling.KindConfig{TimeOneIn: 1}, Kinds: map[string]sampling.KindConfig{"guild": {}}}, 0, 1},
			{configOf(0), 0, 0},
		} {
			guilds, sessions := step(test.config)
			assert.Equal(t, test.guilds, guilds)
			assert.Equal(t, test.sessions, sessions)
		}
	})
}

func TestSystemsWithoutTimingsOrControl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		control, err := sampling.NewControl(configOf(1))
		require.NoError(t, err)
		store := timings.New(timings.Config{})
		for _, opts := range [][]mailbox.SystemOption{
			{mailbox.WithTimings(store)},
			{mailbox.WithTimings(nil), mailbox.WithControl(control)},
		} {
			sys := mailbox.NewSystem(opts...)
			send(t, spawn(t, newKind(t, sys, "guild"), "1"), create{time.Second})
			drain(t, sys)
		}
		assert.Zero(t, countOf(store, "guild", "1"))
	})
}

// A process is its kind and its ID: whatever becomes of it, and of its instance.
func TestRestartAndPassivationKeepTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys, store, _ := timed(t, 1)
		kind := newKind(t, sys, "guild",
			mailbox.WithErrorPolicy(mailbox.Restart), mailbox.WithPanicPolicy(mailbox.Restart), mailbox.WithPassivation(time.Minute))
		slowly := func(context.Context, mailbox.Ref[message]) (mailbox.Instance[message], error) {
			time.Sleep(10 * time.Millisecond)
			return mailbox.Instance[message]{Handle: handle, Save: func(context.Context) error {
				time.Sleep(3 * second)
				return nil
			}}, nil
		}
		guild, err := kind.GetOrSpawn("1", slowly)
		require.NoError(t, err)
		send(t, guild, create{second})
		time.Sleep(5 * time.Minute)
		send(t, guild, create{second}) // After it was passivated.
		fails := run(func(context.Context) error { return errors.New("as told") })
		send(t, guild, fails, create{second})
		time.Sleep(time.Minute)
		require.NoError(t, <-guild.Passivate())
		send(t, guild, create{second})
		require.NoError(t, guild.Stop(context.Background()))
		guild, err = kind.GetOrSpawn("1", slowly)
		require.NoError(t, err)
		send(t, guild, create{second})
		drain(t, sys)
		top := store.Top(timings.Query{Minutes: 60})
		require.Len(t, top.Processes, 1)
		all := top.Processes[0].All
		assert.EqualValues(t, 6, all.Count)
		assert.Equal(t, 5*second+5*10*time.Millisecond, all.Busy, "the time of Save and of a back-off is not the handler's")
	})
}

// What ends a process ends no timing: the message that did it is timed too.
func TestLastMessageIsTimed(t *testing.T) {
	for name, last := range map[string]run{
		"error": func(context.Context) error { return errors.New("as told") },
		"panic": func(context.Context) error { panic("as told") },
		"exit": func(context.Context) error {
			runtime.Goexit()
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sys, store, _ := timed(t, 1)
				guild := spawn(t, newKind(t, sys, "guild",
					mailbox.WithErrorPolicy(mailbox.Terminate), mailbox.WithPanicPolicy(mailbox.Terminate)), "1")
				send(t, guild, create{second}, create{second}, last, create{second})
				<-guild.Done()
				assert.EqualValues(t, 3, countOf(store, "guild", "1"))
			})
		})
	}
}

// A process that is killed, and one whose message came too late, time what was handled.
func TestOnlyHandledMessagesAreTimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys, store, _ := timed(t, 1)
		guild := spawn(t, newKind(t, sys, "guild"), "1")
		send(t, guild, create{second})
		ctx, cancel := context.WithTimeout(context.Background(), second/2)
		defer cancel()
		_, err := mailbox.Call(ctx, guild, func(mailbox.Reply[int]) message { return update{second} })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		send(t, guild, create{second}, create{second}, create{second})
		time.Sleep(second)
		guild.Kill()
		<-guild.Done()
		types := store.Process("guild", "1")[0].Types
		require.Len(t, types, 1)
		assert.EqualValues(t, 2, types[0].Count)
		assert.Equal(t, 2*second, types[0].Busy)
	})
}

// A store knows a process that has ended by its ID, and keeps nothing of it in memory.
func TestStoreKeepsNoProcess(t *testing.T) {
	sys, store, _ := timed(t, 1)
	kind := newKind(t, sys, "guild")
	gone := func() weak.Pointer[[1 << 12]byte] {
		state := new([1 << 12]byte)
		ref, err := kind.Spawn("1", func(context.Context, message) error {
			runtime.KeepAlive(state)
			return nil
		})
		require.NoError(t, err)
		send(t, ref, create{})
		require.NoError(t, ref.Stop(context.Background()))
		return weak.Make(state)
	}()
	assert.EqualValues(t, 1, countOf(store, "guild", "1"))
	require.Eventually(t, func() bool {
		runtime.GC()
		return gone.Value() == nil
	}, time.Minute, time.Millisecond)
	runtime.KeepAlive(store)
}

// Many processes are timed while others read, and each message is there in the end.
func TestReadingWhileRunning(t *testing.T) {
	const processes, each = 50, 200
	sys, store, control := timed(t, 1)
	kind := newKind(t, sys, "guild", mailbox.WithPanicPolicy(mailbox.Continue))
	stop := make(chan struct{})
	var readers, senders sync.WaitGroup
	readers.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			for _, p := range store.Top(timings.Query{By: timings.Order(n % 4)}).Processes {
				if p.All.Share > 1 {
					t.Error("busy for more than the whole of a minute:", p)
				}
			}
			store.Kinds(timings.Query{Minutes: 60})
			store.Process("guild", "7")
			store.Usage()
			assert.NoError(t, control.Set(configOf(1)))
			time.Sleep(time.Millisecond)
		}
	})
	for i := range processes {
		ref := spawn(t, kind, strconv.Itoa(i))
		senders.Go(func() {
			for n := range each {
				var m message = create{}
				if n%50 == 0 {
					m = run(func(context.Context) error { runtime.Goexit(); return nil })
				}
				assert.NoError(t, ref.Send(context.Background(), m))
			}
		})
	}
	senders.Wait()
	drain(t, sys)
	close(stop)
	readers.Wait()
	all := store.Kinds(timings.Query{Minutes: 60}).Kinds[0]
	assert.Equal(t, processes, all.Processes)
	assert.EqualValues(t, processes*each, all.All.Count)
	assert.EqualValues(t, processes*each, all.All.Timed)
	assert.Zero(t, all.Forgotten)
}
