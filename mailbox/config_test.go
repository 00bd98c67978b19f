// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

func TestSettingsThatMakeNoSenseAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		opt  mailbox.KindOption
		says string
	}{
		"negative capacity":      {mailbox.WithCapacity(-3), "capacity -3"},
		"endless capacity":       {mailbox.WithCapacity(math.MaxInt), "at most 16777216"},
		"too much capacity":      {mailbox.WithCapacity(1<<24 + 1), "capacity 16777217"},
		"negative passivation":   {mailbox.WithPassivation(-1), "passivation after -1ns"},
		"overflow":               {mailbox.WithOverflow(3), "overflow 3"},
		"negative overflow":      {mailbox.WithOverflow(-1), "overflow -1"},
		"error policy":           {mailbox.WithErrorPolicy(mailbox.Restart + 1), "failure policy"},
		"negative error policy":  {mailbox.WithErrorPolicy(-1), "failure policy"},
		"panic policy":           {mailbox.WithPanicPolicy(mailbox.Restart + 1), "failure policy"},
		"negative panic policy":  {mailbox.WithPanicPolicy(-1), "failure policy"},
		"no limit of failures":   {mailbox.WithRestartPolicy(mailbox.RestartPolicy{MaxFailures: math.NaN()}), "restarts"},
		"negative decay":         {mailbox.WithRestartPolicy(mailbox.RestartPolicy{Decay: -1}), "restarts"},
		"negative least backoff": {mailbox.WithRestartPolicy(mailbox.RestartPolicy{MinBackoff: -1}), "restarts"},
		"negative most backoff":  {mailbox.WithRestartPolicy(mailbox.RestartPolicy{MaxBackoff: -1}), "restarts"},
		"more backoff than most": {mailbox.WithRestartPolicy(mailbox.RestartPolicy{MinBackoff: 2, MaxBackoff: 1}), "restarts"},
	} {
		t.Run(name, func(t *testing.T) {
			sys := newSystem(t)
			kind, err := mailbox.NewKind[job](sys, "worker", mailbox.WithCapacity(1), test.opt)
			require.ErrorIs(t, err, mailbox.ErrConfig)
			require.ErrorContains(t, err, test.says)
			require.ErrorContains(t, err, `"worker"`)
			assert.Nil(t, kind)
			_, err = mailbox.Spawn(sys, "worker", do, test.opt)
			require.ErrorIs(t, err, mailbox.ErrConfig)
			assert.Zero(t, sys.Stats().Processes)
		})
	}
	newKind[job](t, newSystem(t), "worker", mailbox.WithCapacity(1<<24))
	for _, r := range []mailbox.RestartPolicy{{}, {MaxFailures: math.Inf(1)}, {MinBackoff: time.Hour}, {MaxBackoff: 1}} {
		newKind[job](t, newSystem(t), "worker", mailbox.WithRestartPolicy(r))
	}
}

// Nobody learns with the first message that something was never there.
func TestNothingGivenIsRefusedWhenGiven(t *testing.T) {
	sys := newSystem(t, mailbox.WithTracerProvider(nil), mailbox.WithControl(nil))
	kind := newKind[job](t, sys, "kind")
	assert.Equal(t, "kind", kind.Name())
	restarts := newKind[job](t, sys, "kind", mailbox.WithErrorPolicy(mailbox.Restart))
	restartsPanics := newKind[job](t, sys, "kind", mailbox.WithPanicPolicy(mailbox.Restart))
	for what, give := range map[string]func() (any, error){
		"kind without a system":        func() (any, error) { return mailbox.NewKind[job](nil, "kind") },
		"kind without a name":          func() (any, error) { return mailbox.NewKind[job](sys, "") },
		"process without a system":     func() (any, error) { return mailbox.Spawn[job](nil, "kind", do) },
		"process without a name":       func() (any, error) { return mailbox.Spawn(sys, "", do) },
		"process without a handler":    func() (any, error) { return mailbox.Spawn[job](sys, "kind", nil) },
		"one of a kind":                func() (any, error) { return kind.Spawn("id", nil) },
		"instance without a Factory":   func() (any, error) { return kind.SpawnInstance("", nil) },
		"registered without a Factory": func() (any, error) { return kind.GetOrSpawn("id", nil) },
		"restart without a Factory":    func() (any, error) { return restarts.Spawn("", do) },
		"the same after panics":        func() (any, error) { return restartsPanics.Spawn("", do) },
		"group without a system":       func() (any, error) { return mailbox.NewGroup[job](nil, "group") },
		"group without a name":         func() (any, error) { return mailbox.NewGroup[job](sys, "") },
	} {
		made, err := give()
		require.ErrorIs(t, err, mailbox.ErrConfig, what)
		assert.Zero(t, made, what)
	}
	worker := spawn(t, sys, "worker", do)
	assert.PanicsWithValue(t, "mailbox: Watch without a build", func() { mailbox.Watch(worker, worker, nil) })
	assert.PanicsWithValue(t, "mailbox: Call without a build", func() {
		_, _ = mailbox.Call[job, int](context.Background(), worker, nil)
	})
	s := sys.Stats()
	assert.Equal(t, 1, s.Processes)
	assert.Zero(t, s.Accepted)
	drain(t, sys)
}

func TestStatsOfAnEmptySystem(t *testing.T) {
	sys := newSystem(t)
	assert.Zero(t, sys.Stats())
	require.NoError(t, sys.Shutdown(t.Context()))
	assert.Zero(t, sys.Stats())
}

func TestTotalsAddUpAllReasons(t *testing.T) {
	assert.EqualValues(t, 7, mailbox.Refused{Full: 1, Stopped: 2, Cancelled: 4}.Total())
	assert.EqualValues(t, 15, mailbox.DeadLetters{Killed: 1, Failed: 2, Dropped: 4, Expired: 8}.Total())
}
