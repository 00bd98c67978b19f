// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package timings_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/timings"
)

const second = time.Second

// A bubble's time begins with a minute.
func TestScriptOfOneMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		sys, store, _ := timed(t, 1)
		guild := spawn(t, newKind(t, sys, "guild"), "14")
		send(t, guild, create{3 * second}, create{2 * second}, update{second})
		time.Sleep(10 * second)
		want := timings.Minute{
			Period: timings.Period{Begin: begin.UTC(), Length: 10 * second},
			All: timings.Row{
				Count: 3, Timed: 3, Share: 0.6, Busy: 6 * second, Longest: 3 * second, Waited: 8 * second, LongestWait: 5 * second,
			},
			Types: []timings.Row{
				{
					Type: "create", Count: 2, Timed: 2, Share: 0.5, Busy: 5 * second,
					Longest: 3 * second, Waited: 3 * second, LongestWait: 3 * second,
				},
				{
					Type: "update", Count: 1, Timed: 1, Share: 0.1, Busy: second,
					Longest: second, Waited: 5 * second, LongestWait: 5 * second,
				},
			},
		}
		assert.Equal(t, []timings.Minute{want}, store.Process("guild", "14"))
		assert.Equal(t, timings.Top{
			Period:    want.Period,
			Processes: []timings.Process{{Kind: "guild", ID: "14", All: want.All, Types: want.Types}},
		}, store.Top(timings.Query{}))
		assert.Equal(t, timings.Kinds{
			Period: want.Period,
			Kinds:  []timings.Kind{{Kind: "guild", Processes: 1, All: want.All, Types: want.Types}},
		}, store.Kinds(timings.Query{}))
	})
}

// The next minute begins while a message is handled.
func TestScriptOverTheEndOfAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys, store, _ := timed(t, 1)
		guild := spawn(t, newKind(t, sys, "guild"), "14")
		time.Sleep(50 * second)
		send(t, guild, create{15 * second}, update{second})
		time.Sleep(20 * second)
		found := store.Process("guild", "14")
		require.Len(t, found, 2)
		assert.Equal(t, time.Minute, found[0].Length)
		assert.Equal(t, []timings.Row{{Type: "create", Share: 1. / 6, Busy: 10 * second}}, found[0].Types)
		assert.Equal(t, 10*second, found[1].Length)
		assert.Equal(t, []timings.Row{
			{Type: "create", Count: 1, Timed: 1, Share: 0.5, Busy: 5 * second, Longest: 15 * second},
			{
				Type: "update", Count: 1, Timed: 1, Share: 0.1, Busy: second, Longest: second,
				Waited: 15 * second, LongestWait: 15 * second,
			},
		}, found[1].Types)

		both := store.Top(timings.Query{Minutes: 2})
		assert.Equal(t, 70*second, both.Length)
		assert.Equal(t, 16*second, both.Processes[0].All.Busy)
		before := store.Top(timings.Query{Last: found[0].Begin.Add(59 * second)})
		assert.Equal(t, found[0].Period, before.Period)
		assert.Equal(t, found[0].All, before.Processes[0].All)
	})
}

// model is a process by hand: what came when and how long it took gives what each minute
// must have.
type model struct {
	begin time.Time
	free  time.Duration // when the process is done with all so far, since the beginning
	want  map[int64]map[string]timings.Row
}

func (m *model) row(at time.Duration, typ string, change func(*timings.Row)) {
	minute := m.begin.Add(at).Unix() / 60
	if m.want[minute] == nil {
		m.want[minute] = make(map[string]timings.Row)
	}
	r := m.want[minute][typ]
	r.Type = typ
	change(&r)
	m.want[minute][typ] = r
}

func (m *model) message(typ string, at, takes time.Duration) {
	begun := max(at, m.free)
	m.free = begun + takes
	for from := begun; from < m.free; {
		to := min(from.Truncate(time.Minute)+time.Minute, m.free)
		m.row(from, typ, func(r *timings.Row) { r.Busy += to - from })
		from = to
	}
	m.row(max(m.free-1, begun), typ, func(r *timings.Row) {
		r.Count++
		r.Timed++
		r.Longest = max(r.Longest, takes)
		r.Waited += begun - at
		r.LongestWait = max(r.LongestWait, begun-at)
	})
}

// A random load over an hour is timed exactly, on workers and on goroutines of their own.
func TestRandomScript(t *testing.T) {
	for _, test := range []struct {
		name string
		ids  []string
		opts []mailbox.KindOption
	}{
		{"one process", []string{"a"}, nil}, // With several, there are waits for a worker.
		{
			"goroutines of their own",
			[]string{"", "a", "b", "\x00\n"},
			[]mailbox.KindOption{mailbox.WithDedicatedGoroutine()},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			random := stattest.Seeded(t)
			synctest.Test(t, func(t *testing.T) { randomScript(t, random, test.ids, test.opts) })
		})
	}
}

func randomScript(t *testing.T, random *rand.Rand, ids []string, opts []mailbox.KindOption) {
	t.Helper()
	sys, store, _ := timed(t, 1)
	kind := newKind(t, sys, "guild", append(opts, mailbox.WithPanicPolicy(mailbox.Continue))...)
	models := make([]*model, len(ids))
	guilds := make([]mailbox.Ref[message], len(ids))
	for i, id := range ids {
		models[i] = &model{begin: time.Now(), want: make(map[int64]map[string]timings.Row)}
		guilds[i] = spawn(t, kind, id)
	}
	begin := time.Now()
	for time.Since(begin) < 50*time.Minute {
		if random.IntN(3) == 0 {
			time.Sleep(time.Duration(random.Int64N(int64(time.Minute))))
		}
		takes := time.Duration(random.Int64N(int64([]time.Duration{1, time.Millisecond, second, 90 * second}[random.IntN(4)])))
		i, at := random.IntN(len(ids)), time.Since(begin)
		if models[i].free > 55*time.Minute { // The store keeps an hour.
			time.Sleep(second)
			continue
		}
		m, typ := []message{create{takes}, update{takes}, run(func(context.Context) error {
			time.Sleep(takes)
			switch takes % 4 {
			case 0:
				panic("as told")
			case 1:
				runtime.Goexit()
			case 2:
				return errors.New("as told")
			}
			return nil
		})}[random.IntN(3)], ""
		switch m.(type) {
		case create:
			typ = "create"
		case update:
			typ = "update"
		case run:
			typ = "run"
		}
		send(t, guilds[i], m)
		models[i].message(typ, at, takes)
	}
	drain(t, sys)
	now := time.Now()
	for i, id := range ids {
		got := make(map[int64]map[string]timings.Row)
		for _, m := range store.Process("guild", id) {
			rows := make(map[string]timings.Row)
			for _, r := range m.Types {
				assert.InDelta(t, float64(r.Busy)/float64(m.Length), r.Share, 1e-12)
				r.Share = 0
				rows[r.Type] = r
			}
			assert.LessOrEqual(t, m.All.Share, 1.0)
			assert.False(t, m.Begin.After(now))
			got[m.Begin.Unix()/60] = rows
		}
		assert.Equal(t, models[i].want, got, "process %q", id)
	}
}
