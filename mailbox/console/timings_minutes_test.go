// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/console"
	"github.com/waybill-go/waybill/mailbox/timings"
	"github.com/waybill-go/waybill/sampling"
)

type shownMinutes struct {
	Minutes []struct {
		Begin     time.Time
		Length    time.Duration `json:"length_ns"`
		Share     float64
		Estimated bool
	}
	Processes []struct {
		Kind, ID  string
		Shares    []float64
		Estimated bool
	}
}

func minutesOf(t *testing.T, con http.Handler, query string) (shown shownMinutes) {
	t.Helper()
	w := get(t, con, "/api/timings/minutes"+query)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &shown))
	return shown
}

// busy returns a console with timings, and a function that has a process work for some
// time.
func busy(t *testing.T, oneIn int) (*console.Console, func(kind, id string, takes time.Duration)) {
	t.Helper()
	control, err := sampling.NewControl(sampling.Config{Default: sampling.KindConfig{TimeOneIn: oneIn}})
	require.NoError(t, err)
	store := timings.New(timings.Config{})
	sys := mailbox.NewSystem(mailbox.WithControl(control), mailbox.WithTimings(store))
	t.Cleanup(func() { assert.NoError(t, sys.Shutdown(context.Background())) })
	kinds := make(map[string]*mailbox.Kind[time.Duration])
	return console.New(console.Config{Timings: store}), func(kind, id string, takes time.Duration) {
		if kinds[kind] == nil {
			kinds[kind] = must(mailbox.NewKind[time.Duration](sys, kind))
		}
		ref := must(kinds[kind].Spawn(id, func(_ context.Context, takes time.Duration) error {
			time.Sleep(takes)
			return nil
		}))
		require.NoError(t, ref.Send(t.Context(), takes))
		require.NoError(t, ref.Stop(t.Context()))
	}
}

func TestMinutesOfTheBusiest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // It begins at the beginning of a minute.
		con, work := busy(t, 1)
		work("guild", "14", 30*time.Second)
		work("session", "a", 6*time.Second)
		time.Sleep(24 * time.Second)
		work("guild", "14", 15*time.Second)
		time.Sleep(5 * time.Second)

		shown := minutesOf(t, con, "")
		require.Len(t, shown.Minutes, 15)
		last, before := shown.Minutes[14], shown.Minutes[13]
		assert.Equal(t, 20*time.Second, last.Length)
		assert.Equal(t, time.Minute, before.Length)
		assert.Equal(t, time.Minute, last.Begin.Sub(before.Begin))
		assert.InDelta(t, 0.75, last.Share, 1e-9)
		assert.InDelta(t, 0.6, before.Share, 1e-9)
		assert.Zero(t, shown.Minutes[12].Share)
		require.Len(t, shown.Processes, 2)
		guild, session := shown.Processes[0], shown.Processes[1]
		assert.Equal(t, []string{"guild", "14", "session", "a"}, []string{guild.Kind, guild.ID, session.Kind, session.ID})
		assert.Len(t, guild.Shares, 15)
		assert.InDeltaSlice(t, []float64{0, 0.5, 0.75}, guild.Shares[12:], 1e-9)
		assert.InDeltaSlice(t, []float64{0, 0.1, 0}, session.Shares[12:], 1e-9)
		assert.False(t, guild.Estimated)

		shown = minutesOf(t, con, "?kind=session")
		require.Len(t, shown.Processes, 1)
		assert.InDelta(t, 0.1, shown.Minutes[13].Share, 1e-9)
		assert.Zero(t, shown.Minutes[14].Share)
		assert.Empty(t, minutesOf(t, con, "?kind=nobody").Processes)
	})
}

func TestMinutesOfOthersAreInTheTotal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		con, work := busy(t, 1)
		for i := range 20 {
			work("session", strconv.Itoa(i), time.Second)
		}
		shown := minutesOf(t, con, "")
		assert.Len(t, shown.Processes, 8)
		assert.InDelta(t, 1, shown.Minutes[14].Share, 1e-9)
	})
}

func TestMinutesAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		con, work := busy(t, 1)
		assert.Empty(t, minutesOf(t, con, "").Processes)
		work("guild", "14", time.Second-time.Nanosecond)
		assert.Empty(t, minutesOf(t, con, "").Processes)
		time.Sleep(time.Nanosecond)
		assert.Len(t, minutesOf(t, con, "").Processes, 1)
		for i := range 1000 { // Whatever is asked for, little is kept.
			assert.Empty(t, minutesOf(t, con, "?kind="+strconv.Itoa(i)).Processes)
		}
	})
}

func TestMinutesThatAreEstimated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		con, work := busy(t, 2)
		for range 200 { // None of them is timed once in 2²⁰⁰ runs.
			work("session", "1", time.Millisecond)
		}
		shown := minutesOf(t, con, "")
		assert.True(t, shown.Minutes[14].Estimated)
		assert.True(t, shown.Processes[0].Estimated)
	})
}

func TestMinutesNeedTimings(t *testing.T) {
	w := get(t, console.New(console.Config{}), "/api/timings/minutes")
	assert.Equal(t, http.StatusNotFound, w.Code)
	assert.Contains(t, errorText(t, w), "Config.Timings")
}
