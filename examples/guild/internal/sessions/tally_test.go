// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sessions_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
)

func TestTally(t *testing.T) {
	for _, test := range []struct {
		name string
		last int64
		got  []int64
		want sessions.Counts
		bad  bool
	}{
		{"all in order", 0, []int64{1, 2, 3}, sessions.Counts{Delivered: 3}, false},
		{"all after a late start", 7, []int64{8, 9}, sessions.Counts{Delivered: 2}, false},
		{"first missed", 0, []int64{2, 3}, sessions.Counts{Delivered: 2, Missed: 1}, true},
		{"one missed", 0, []int64{1, 4}, sessions.Counts{Delivered: 2, Missed: 2}, true},
		{"one twice", 0, []int64{1, 1, 2}, sessions.Counts{Delivered: 3, Repeated: 1}, true},
		{"out of order", 0, []int64{1, 3, 2}, sessions.Counts{Delivered: 3, Missed: 1, Repeated: 1}, true},
		{"from before the start", 5, []int64{5}, sessions.Counts{Delivered: 1, Repeated: 1}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var tally sessions.Tally
			track := tally.Track(test.last, 0)
			for _, seq := range test.got {
				track.Got(seq)
			}
			assert.Equal(t, test.want, tally.Counts())
			assert.Equal(t, test.bad, tally.Counts().Err() != nil)
		})
	}
}

func TestTallyCountsTheWaysOfDelivery(t *testing.T) {
	var tally sessions.Tally
	track := tally.Track(3, 2)
	track.CaughtUp(4)
	track.Got(5)
	assert.EqualValues(t, 1, tally.Behind())
	assert.EqualValues(t, 2, tally.Behind())
	assert.Equal(t, sessions.Counts{Delivered: 2, CaughtUp: 1, Gone: 2, Behind: 2}, tally.Counts())
	assert.NoError(t, tally.Counts().Err())
}
