// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tardy does each job in a goroutine of its own, the one for the last process
// after a while.
func tardy(last int, after time.Duration) place {
	return place{
		send: func(to int, do job) error {
			go func() {
				if to == last {
					time.Sleep(after)
				}
				do()
			}()
			return nil
		},
		leave: func() error { return nil },
	}
}

func TestTheDelayIsThatOfTheLast(t *testing.T) {
	const after = 20 * time.Millisecond
	delay, err := tardy(7, after).delay(7)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, delay, after)
}

func TestEveryDelayCounts(t *testing.T) {
	const after = time.Millisecond
	c := behind(3, func(processes int) (place, error) {
		assert.Equal(t, 4, processes)
		return tardy(3, after), nil
	})
	require.NoError(t, c.run(5))
	assert.Equal(t, 5, c.handled())
	assert.GreaterOrEqual(t, c.timed(), 5*after)
}

func TestAPlaceThatFailsEndsTheRun(t *testing.T) {
	broken := errors.New("broken")
	failing := func(at int) place {
		p, n := tardy(1, 0), 0
		send := p.send
		p.send = func(to int, do job) error {
			if n++; n > at {
				return broken
			}
			return send(to, do)
		}
		if at == 4 { // That is all.
			p.leave = func() error { return broken }
		}
		return p
	}
	for at := range 5 {
		c := behind(1, func(int) (place, error) { return failing(at), nil })
		require.ErrorIs(t, c.run(1), broken, at)
	}
	c := behind(1, func(int) (place, error) { return place{}, broken })
	require.ErrorIs(t, c.run(1), broken)
}
