// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/traces/explain"
	"github.com/waybill-go/waybill/sampling"
)

// What a store says of a process depends on the minute. A bubble's time begins with one.
func TestFromTimings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sampling.Always())
		begin := time.Now()
		for _, m := range []message{PresenceSync{30 * time.Second}, MessageCreate{6 * time.Second}} {
			require.NoError(t, w.guild.Send(context.Background(), m))
		}
		time.Sleep(time.Minute)
		require.NoError(t, w.guild.Send(context.Background(), MessageCreate{15 * time.Second}))
		time.Sleep(time.Minute)
		synctest.Wait()

		did := explain.FromTimings(w.store)
		first := explain.Busiest{Message: "PresenceSync", Share: 0.5, Took: 30 * time.Second, Busy: 36 * time.Second}
		second := explain.Busiest{Message: "MessageCreate", Share: 0.25, Took: 15 * time.Second, Busy: 15 * time.Second}
		for after, want := range map[time.Duration]explain.Busiest{
			0: first, time.Minute - 1: first, time.Minute: second, 2*time.Minute - 1: second, 2 * time.Minute: {}, -1: {},
		} {
			got, ok := did("guild", "1", begin.Add(after))
			assert.Equal(t, want, got, after)
			assert.Equal(t, want != explain.Busiest{}, ok, after)
		}
		_, ok := did("guild", "2", begin)
		assert.False(t, ok)
		_, ok = explain.FromTimings(nil)("guild", "1", begin)
		assert.False(t, ok)
	})
}
