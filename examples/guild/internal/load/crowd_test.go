// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package load_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/examples/guild/internal/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lacking returns how many posts of the load some client lacks.
func lacking(t *testing.T, l *load.Ledger) (n int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, l.WaitTaken(ctx, 1<<40, func(lacking int64) { n = lacking }))
	return n
}

// The clients of other processes count like one, and no longer once they are gone.
func TestCrowds(t *testing.T) {
	l := load.NewLedger(2)
	l.Join(1, 0)
	a, b := l.Crowd(1, 0), l.Crowd(1, 0)
	other := l.Crowd(2, 0)
	for seq := range int64(3) {
		l.Post(1, seq+1)
	}
	l.Post(2, 1)
	assert.EqualValues(t, 4, lacking(t, l))
	for seq := range int64(3) {
		l.Take(1, seq+1)
	}
	a.Reach(3)
	a.Reach(2) // Late news.
	b.Reach(1)
	assert.EqualValues(t, 3, lacking(t, l), "b lacks two, and the other guild's one")
	assert.Equal(t, []load.Reached{{Guild: 1, All: 1}, {Guild: 2, All: 0}}, l.Reached())
	b.Leave()
	assert.EqualValues(t, 1, lacking(t, l), "those who are gone lack nothing")
	other.Leave()
	assert.Zero(t, lacking(t, l))
	assert.Equal(t, []load.Reached{{Guild: 1, All: 3}}, l.Reached())

	again := l.Crowd(1, 2) // It comes late, and has less than the others.
	l.Post(1, 4)
	l.Take(1, 4)
	a.Reach(4)
	again.Reach(3)
	assert.EqualValues(t, 1, lacking(t, l))
	a.Leave() // Though it has what again lacks.
	assert.EqualValues(t, 1, lacking(t, l))
	again.Reach(4)
	assert.Zero(t, lacking(t, l))
	assert.EqualValues(t, 1, l.Joined())
	assert.EqualValues(t, 4, l.Taken())
}
